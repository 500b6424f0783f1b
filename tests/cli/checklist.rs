//! The troubleshooting guide of the earlier Python tool, line by line: which test fails when a line stops being true.
//!
//! Every line from S1 to S73 has at least one, in order, and each of those exists.

use crate::world::World;
use awsideman::app::log_settings;
use std::collections::HashMap;
use std::path::Path;

/// A line or a few, what it is about, and the tests (file below `tests/`, name) that hold it.
type Line = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const LINES: &[Line] = &[
    (
        "S1",
        "status answers whatever is broken, and moves nothing",
        &[
            ("cli/spec", "status_answers_without_credentials_and_with_a_disabled_cache"),
            ("cli/bad_input", "emergency_commands_work_with_a_broken_configuration_and_report_what_is_wrong"),
            ("cli/status", "a_damaged_store_is_told_in_the_document_and_not_beside_it"),
            ("cli/status", "asking_does_not_move_the_statistics"),
        ],
    ),
    (
        "S2",
        "--detailed",
        &[
            ("cli/spec", "details_show_entries_bytes_hits_misses_and_ttls_of_each_resource"),
            ("cli/status", "the_sums_of_the_details_are_the_figures_of_the_summary"),
        ],
    ),
    ("S3", "--recent-entries 20", &[("cli/spec", "recent_entries_are_listed_newest_use_first_with_key_and_source")]),
    (
        "S4",
        "clear",
        &[
            ("cli/spec", "clear_empties_this_profile_s_cache_needs_no_aws_and_never_asks"),
            ("cli/spaces", "clearing_takes_this_organization_s_entries_and_leaves_the_other_s"),
        ],
    ),
    (
        "S5",
        "--no-cache",
        &[
            ("cli/spec", "no_cache_neither_reads_nor_fills"),
            ("cli/changes_of_people", "a_change_past_the_cache_is_told_to_it_all_the_same"),
        ],
    ),
    (
        "S6",
        "AWSIDEMAN_CACHE_DISABLED",
        &[
            ("cli/spec", "the_variable_disables_with_each_accepted_word_and_nonsense_warns"),
            ("coherence/cache_out_of_the_way", "variables_that_bypass_the_cache_still_invalidate_it"),
            ("cli/jobs", "with_the_cache_disabled_a_warm_is_skipped_with_its_reason"),
            ("cli/jobs_ahead", "verify_says_how_many_answers_are_wrong_and_between_what"),
        ],
    ),
    (
        "S7",
        "old data: our own changes at once, others within the time to live",
        &[
            ("coherence/every_mutation", "no_change_leaves_a_stale_answer_on_disk_or_in_memory"),
            ("cli/freshness", "a_cold_list_takes_three_calls_and_a_warm_one_none"),
        ],
    ),
    (
        "S8",
        "comparing with AWS",
        &[
            ("cli/cache_verify", "a_wrong_entry_is_reported_and_replaced_with_exit_code_6"),
            ("cli/cache_verify", "a_sample_costs_what_it_says_and_its_seed_takes_it_again"),
        ],
    ),
    (
        "S9",
        "hit rates in the details",
        &[("cli/spec", "detailed_hit_rates_cover_the_window_and_all_time_with_their_counts")],
    ),
    ("S10-S12", "patterns", &[("cli/spec", "patterns_remove_exactly_what_they_match_and_a_dry_run_agrees")]),
    (
        "S13",
        "invalidate_for_operation, \"Invalidated {count} entries\"",
        &[
            ("cli/cache_verify", "the_invalidation_test_of_the_guide_has_the_documented_verdicts"),
            ("modules/library/blocks", "stale_data_check_invalidation_rules"),
            ("modules/library/rules", "a_command_that_invalidates_reaches_what_programs_keep_and_counts_it"),
        ],
    ),
    (
        "S14",
        "set_default_ttl",
        &[
            ("cli/spec", "the_default_ttl_is_15_minutes_and_a_shorter_one_applies_immediately"),
            ("modules/library/blocks", "stale_data_reduce_ttl"),
        ],
    ),
    (
        "S15",
        "slow, large, many misses",
        &[("cli/cache_inspect", "why_distinguishes_hits_from_every_reason_for_a_miss")],
    ),
    (
        "S16",
        "the hit rate is that of commands",
        &[
            ("cli/status", "only_lookups_of_commands_count_and_requested_refreshes_do_not"),
            ("cli/status", "the_window_moves_on_and_the_lifetime_stays"),
        ],
    ),
    (
        "S17",
        "--memory-details",
        &[("cli/spec", "memory_details_show_what_entries_index_and_process_hold_and_the_limits")],
    ),
    (
        "S18",
        "grep CacheError in the log",
        &[
            ("cli/log", "a_cache_fault_is_logged_and_a_healthy_cache_writes_nothing"),
            ("cli/checklist", "the_log_is_where_the_guide_searches_it_for_root_and_others"),
        ],
    ),
    (
        "S19",
        "AWSIDEMAN_CACHE_MAX_SIZE_MB=200",
        &[("cli/spec", "the_size_variable_is_enforced_down_to_the_low_water_mark")],
    ),
    (
        "S20",
        "AWSIDEMAN_CACHE_COMPRESSION=true",
        &[("cli/spec", "compression_makes_entries_smaller_and_both_kinds_are_read")],
    ),
    (
        "S21-S22",
        "AWSIDEMAN_CACHE_BACKEND=disk, AWSIDEMAN_CACHE_DIR",
        &[("cli/spec", "the_disk_backend_lives_in_the_directory_that_the_variable_names")],
    ),
    (
        "S23",
        "times to live by operation",
        &[
            ("cli/spec", "the_times_to_live_are_those_of_the_guide"),
            ("modules/library/blocks", "performance_tune_ttl_values"),
        ],
    ),
    (
        "S24-S25",
        "warnings of a low hit rate and of memory",
        &[
            ("cli/spec", "a_low_hit_rate_and_a_large_cache_warn_before_critical"),
            ("modules/library/blocks", "performance_monitor_and_alert"),
        ],
    ),
    (
        "S26-S27",
        "CacheBackendError, faults now and then: answers are unaffected",
        &[
            ("cli/directories", "a_damaged_database_is_said_everywhere_and_recover_is_named"),
            ("cli/breaker", "failures_of_several_processes_open_the_breaker_and_one_process_tries_again"),
        ],
    ),
    (
        "S28",
        "operations that time out",
        &[("cli/breaker", "a_writer_that_never_ends_delays_one_command_and_no_answer")],
    ),
    ("S29", "cache health", &[("cli/spec", "health_is_a_list_of_checks_with_levels_and_an_exit_code")]),
    ("S30", "cache test", &[("cli/spec", "test_sets_gets_expires_and_deletes_and_reports_a_disabled_cache")]),
    (
        "S31-S33",
        "owner, mode, free space; a directory at 0755 is tightened and that is said",
        &[
            ("cli/spec", "the_cache_is_for_its_owner_alone_whatever_the_umask"),
            ("cli/directories", "directories_without_rights_cost_the_cache_and_never_the_answer"),
        ],
    ),
    (
        "S34",
        "rm -rf DIR/*, mv DIR under live processes",
        &[
            ("modules/store/disk", "a_directory_deleted_under_an_open_store_is_survived"),
            ("modules/store/disk", "a_directory_moved_away_under_an_open_store_is_left_alone"),
        ],
    ),
    (
        "S35",
        "AWSIDEMAN_CACHE_BACKEND=memory",
        &[
            ("cli/spec", "the_memory_backend_keeps_nothing_and_refuses_a_warm"),
            ("coherence/cache_out_of_the_way", "variables_that_bypass_the_cache_still_invalidate_it"),
        ],
    ),
    (
        "S36",
        "configure_circuit_breaker",
        &[
            ("modules/library/blocks", "backend_errors_configure_circuit_breaker"),
            ("cli/breaker", "failures_of_several_processes_open_the_breaker_and_one_process_tries_again"),
        ],
    ),
    (
        "S37-S38",
        "races and hangs: ten threads, a hundred times each",
        &[
            ("modules/library/blocks", "thread_safety_test"),
            ("cli/single_flight", "fifty_processes_on_a_fresh_cache_walk_once_and_leave_it_intact"),
        ],
    ),
    ("S39", "the same handle everywhere", &[("modules/library/blocks", "thread_safety_verify_singleton")]),
    (
        "S40",
        "an increment that loses none",
        &[
            ("modules/library/blocks", "thread_safety_safe_increment"),
            ("modules/library/many", "processes_that_count_up_lose_none"),
        ],
    ),
    (
        "S41-S43",
        "growth: limits hold, what went is counted, what a process holds is shown",
        &[
            ("cli/limits", "the_smallest_of_the_limits_holds_and_is_named"),
            ("cli/limits", "what_sweeps_removed_is_counted_by_reason"),
            ("cli/spec", "memory_details_show_what_entries_index_and_process_hold_and_the_limits"),
        ],
    ),
    (
        "S44",
        "configure_storage(\"memory\", max_entries, \"lru\")",
        &[("modules/library/blocks", "memory_leaks_configure_lru_eviction")],
    ),
    (
        "S45-S46",
        "AWSIDEMAN_CACHE_MAX_SIZE_MB=100, status --enforce-limits",
        &[
            ("cli/spec", "the_size_variable_is_enforced_down_to_the_low_water_mark"),
            ("cli/spec", "enforcing_limits_says_what_went_and_gives_one_document"),
        ],
    ),
    (
        "S47",
        "cleaning and limits every hour",
        &[
            ("cli/spec", "cleaning_and_limits_are_scheduled_hourly_unless_somebody_says_otherwise"),
            ("modules/library/blocks", "memory_leaks_periodic_cleanup"),
        ],
    ),
    (
        "S48-S49",
        "build_key: the same parameters give the same key",
        &[
            ("cli/spec", "a_key_is_the_same_only_for_the_same_parameters"),
            ("modules/library/blocks", "debug_cache_key_generation"),
        ],
    ),
    (
        "S50",
        "four keys, EXISTS or INVALIDATED",
        &[
            ("cli/cache_verify", "the_invalidation_test_of_the_guide_has_the_documented_verdicts"),
            ("modules/library/blocks", "debug_invalidation_patterns"),
        ],
    ),
    (
        "S51",
        "the breaker's state, count, time and messages",
        &[
            ("cli/spec", "the_breaker_stands_in_the_status_with_state_count_and_time"),
            ("cli/guide_phrases", "the_words_of_the_guide_appear_literally"),
            ("modules/library/blocks", "monitor_cache_circuit_breaker"),
        ],
    ),
    (
        "S52",
        "warming",
        &[
            ("cli/spec", "a_warm_fills_lists_and_describes_and_ends_with_its_words"),
            ("modules/library/blocks", "performance_cache_warming_strategies"),
        ],
    ),
    ("S53", "batches", &[("modules/library/blocks", "performance_batch_cache_operations")]),
    (
        "S54-S56",
        "critical under 50 %, over 200 MB, errors over 5 %",
        &[
            ("cli/monitor", "a_low_hit_rate_a_large_cache_and_many_errors_are_critical"),
            ("modules/library/blocks", "monitoring_cache_health_check"),
        ],
    ),
    (
        "S57",
        "{\"healthy\": ..., \"issues\": []}",
        &[
            ("cli/spec", "health_is_a_list_of_checks_with_levels_and_an_exit_code"),
            ("cli/status", "every_field_is_present_and_numeric_in_every_state_of_the_cache"),
        ],
    ),
    (
        "S58-S59",
        "status --json with numbers that are numbers",
        &[("cli/status", "every_field_is_present_and_numeric_in_every_state_of_the_cache")],
    ),
    (
        "S60-S63",
        "cache_monitor.sh, as it was and as it is",
        &[
            ("cli/monitor", "it_mails_at_a_hit_rate_of_40_percent"),
            ("cli/monitor", "it_mails_at_300_megabytes"),
            ("cli/scripts", "the_monitor_mails_what_is_critical_with_the_next_command"),
        ],
    ),
    (
        "S64-S68",
        "recover_cache.sh",
        &[
            ("cli/scripts", "recovery_makes_a_new_cache_keeps_the_old_one_and_says_so"),
            ("cli/scripts", "recovery_works_on_a_cache_that_is_no_longer_a_database"),
        ],
    ),
    (
        "S69-S72",
        "emergency_disable_cache.sh",
        &[("cli/scripts", "the_emergency_switch_applies_to_every_process_and_ends_by_itself")],
    ),
    ("S73", "the guide itself", &[("cli/troubleshooting", "the_chapters_are_in_order_and_each_has_commands")]),
];

#[test]
fn every_line_of_the_guide_has_a_test_that_exists() {
    let mut next = 1;
    let mut files: HashMap<&str, String> = HashMap::new();
    for (lines, about, tests) in LINES {
        let number = |text: &str| text.trim_start_matches('S').parse::<u32>().unwrap();
        let (first, last) = lines.split_once('-').unwrap_or((lines, lines));
        let (first, last) = (number(first), number(last));
        assert_eq!(first, next, "{about}");
        next = last + 1;
        assert!(!tests.is_empty() && !about.is_empty(), "{lines}");
        for (file, name) in *tests {
            let text = files.entry(file).or_insert_with(|| {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file).with_extension("rs");
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            });
            assert!(text.contains(&format!("#[test]\nfn {name}()")), "{lines}: tests/{file}.rs has no test `{name}`");
        }
    }
    assert_eq!(next, 74);
}

#[test]
fn the_log_is_where_the_guide_searches_it_for_root_and_others() {
    let mut world = World::small();
    world.set("AWSIDEMAN_LOG_FILE", "");
    let state = world.state_dir().join("awsideman.log");
    let root = awsideman::host::is_root();
    let expected = if root { Path::new("/var/log/awsideman.log").to_owned() } else { state.clone() };
    assert_eq!(log_settings(&world.app()).path, expected);
    let logs = world.beside("logs");
    world.set("LOGS_DIRECTORY", &logs.display().to_string());
    assert_eq!(log_settings(&world.app()).path, logs.join("awsideman.log"), "systemd's comes first");
}
