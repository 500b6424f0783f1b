//! A home that is put back to where it was before each case, and what must hold in it after one.
//!
//! A case begins with the files of the one before it; what is right is what the sandbox says, asked past the
//! product.

use crate::world::{Ran, World};
use awsideman::sandbox::Rule;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Whether the full counts are wanted.
pub(crate) fn soak() -> bool {
    std::env::var("AWSIDEMAN_SOAK").is_ok_and(|value| value == "1")
}

/// One line of figures.
#[expect(clippy::print_stdout, reason = "it is what a full count is run for")]
pub(crate) fn figures(line: &str) {
    println!("{line}");
}

/// How a home stands before a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// No cache and no state.
    Cold,
    /// All that the cases read is there, the tally holds something, and so does `state.db`.
    Warm,
    /// The same, disabled.
    Disabled,
    /// The same as warm, with the fence of a change whose writer was killed while AWS had it.
    Fenced,
}

/// A world, its templates, and the truth about it.
pub(crate) struct Stage {
    pub(crate) world: World,
    /// The user that is read and changed.
    pub(crate) name: String,
    id: String,
    store: String,
    display: String,
    /// Everybody, as the list shows them at the beginning.
    list: String,
    /// What went wrong so far.
    pub(crate) faults: Vec<String>,
}

/// The answers that are compared.
pub(crate) const LIST: &str = "user list --json";

impl Stage {
    pub(crate) fn new() -> Stage {
        let mut world = World::small();
        for (name, text) in [
            (
                "10-warm",
                "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\n[warm]\nresources = [\"users\", \"groups\"]\n",
            ),
            ("20-cleanup", "name = \"cleanup\"\nkind = \"cleanup\"\nevery = \"1h\"\n"),
            ("30-health", "name = \"health\"\nkind = \"health-check\"\nevery = \"1h\"\n"),
        ] {
            world.write(&format!("jobs/{name}.toml"), text);
        }
        let jobs = world.home().join("jobs").display().to_string();
        world.set("AWSIDEMAN_JOBS_DIR", &jobs);
        // Fresh as long as the full counts take.
        world.set("AWSIDEMAN_CACHE_TTL_USER_LIST", "2h").set("AWSIDEMAN_CACHE_TTL_USER_DESCRIBE", "2h");
        for words in ["user list", "cache warm users groups", "cache cleanup", "user list", "group list"] {
            world.run(words.split(' ')).ok();
        }
        let list = world.run(LIST.split(' ')).ok();
        let (users, list) = (list.json(), list.stdout);
        let text = |name: &str| users[3][name].as_str().unwrap().to_owned();
        let (name, id, display) = (text("UserName"), text("UserId"), text("DisplayName"));
        let instances = world.ask("SWBExternalService.ListInstances", &json!({}));
        let store = instances["Instances"][0]["IdentityStoreId"].as_str().unwrap().to_owned();
        let stage = Stage { world, name, id, store, display, list, faults: Vec::new() };
        stage.save(Start::Warm);
        stage.world.run(["cache", "disable", "--for", "1h"]).ok();
        stage.save(Start::Disabled);
        stage.reset(Start::Warm);
        stage.world.faults(|faults| faults.hold = vec![Rule::of("AWSIdentityStore.UpdateUser")]);
        let words = ["user", "update", &stage.name, "--display-name", "Changed"];
        let mut writer = stage.world.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        assert!(stage.world.wait_for_held(1, Duration::from_secs(60)));
        writer.kill().unwrap();
        writer.wait().unwrap();
        stage.world.release();
        stage.save(Start::Fenced);
        stage
    }

    fn folders(&self) -> [(PathBuf, &'static str); 2] {
        [(self.world.cache_dir(), "cache"), (self.world.state_dir(), "state")]
    }

    fn template(&self, start: Start) -> PathBuf {
        self.world.beside(&format!("template-{start:?}"))
    }

    fn save(&self, start: Start) {
        for (folder, name) in self.folders() {
            copy(&folder, &self.template(start).join(name));
        }
    }

    /// Puts the home back, and the user's name in the sandbox too.
    pub(crate) fn reset(&self, start: Start) {
        for (folder, name) in self.folders() {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            let template = self.template(start).join(name);
            if start != Start::Cold {
                copy(&template, &folder);
            }
        }
        if self.truth() != self.display {
            self.rename(&self.display);
        }
    }

    /// Somebody else gives the user another name.
    pub(crate) fn rename(&self, display: &str) {
        let change = json!({"AttributePath": "displayName", "AttributeValue": display});
        let body = json!({"IdentityStoreId": self.store, "UserId": self.id, "Operations": [change]});
        self.world.ask("AWSIdentityStore.UpdateUser", &body);
    }

    /// What the user is really called.
    pub(crate) fn truth(&self) -> String {
        let user = json!({"IdentityStoreId": self.store, "UserId": self.id});
        self.world.ask("AWSIdentityStore.DescribeUser", &user)["DisplayName"].as_str().unwrap().to_owned()
    }

    /// What it was called at the beginning.
    pub(crate) fn before(&self) -> &str {
        &self.display
    }

    /// The name of the user with this number.
    pub(crate) fn somebody(&self, number: usize) -> String {
        let users: Value = serde_json::from_str(&self.list).unwrap();
        users[number % 20]["UserName"].as_str().unwrap().to_owned()
    }

    /// Whether a list, or a user, is what it was at the beginning, but for AWS's count of changes.
    pub(crate) fn is_as_before(&self, ran: &Ran, name: Option<&str>) -> bool {
        let known = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let same = |a: &Value, b: &Value| {
            ["UserId", "UserName", "DisplayName", "Emails", "Name"].iter().all(|field| a[field] == b[field])
        };
        let (before, shown) = (known(&self.list), known(&ran.stdout));
        let before = before.as_array().unwrap();
        match (name, shown.as_array()) {
            (Some(name), None) => before.iter().any(|user| user["UserName"] == name && same(user, &shown)),
            (None, Some(all)) => all.len() == before.len() && all.iter().zip(before).all(|(a, b)| same(a, b)),
            _ => false,
        }
    }

    /// Runs the binary so long after the present.
    pub(crate) fn after(&self, offset: &str, words: &str) -> Ran {
        let mut command = self.world.command(words.split_whitespace());
        if !offset.is_empty() {
            command.env("AWSIDEMAN_DEBUG_CLOCK_OFFSET", offset);
        }
        Ran::of(format!("[{offset}] awsideman {words}"), &command.output().unwrap())
    }

    /// What a list says that the user is called; `None` when it is no list.
    pub(crate) fn shown(&self, ran: &Ran) -> Option<String> {
        let users: Value = serde_json::from_str(&ran.stdout).ok()?;
        let user = match users.as_array() {
            Some(all) if all.len() == 20 => all.iter().find(|user| user["UserName"] == self.name.as_str())?,
            Some(_) => return None,
            None => &users,
        };
        Some(user["DisplayName"].as_str()?.to_owned())
    }

    /// Notes what went wrong unless `holds`.
    pub(crate) fn must(&mut self, holds: bool, case: &str, what: &str, ran: &Ran) {
        if !holds {
            let mut text = format!("{case}: {what}: exit {}", ran.exit);
            let (out, err): (String, String) =
                (ran.stdout.chars().take(300).collect(), ran.stderr.chars().take(900).collect());
            write!(text, "\n    out: {}\n    err: {}", out.trim_end(), err.trim_end()).unwrap();
            self.faults.push(text);
        }
    }

    /// Whatever came before: it was no panic and no signal but the one that was sent.
    pub(crate) fn no_panic(&mut self, case: &str, ran: &Ran) {
        let panicked = ran.stderr.contains("panicked") || ran.exit == 101 || ran.exit == -1;
        self.must(!panicked, case, "it panicked or was ended by a signal", ran);
    }

    /// From so long after the present on, reads give the truth, and then the cache does.
    pub(crate) fn heals(&mut self, case: &str, offset: &str) {
        let truth = self.truth();
        let get = soak().then(|| format!("user get {} --json", self.name));
        for words in [LIST.to_owned()].into_iter().chain(get) {
            let ran = self.after(offset, &words);
            let right = ran.exit == 0 && self.shown(&ran).as_deref() == Some(truth.as_str());
            self.must(right, case, &format!("`{words}` after it is wrong, {truth:?} was expected"), &ran);
        }
        let cached = self.after(offset, &format!("{LIST} --cache-only"));
        let right = cached.exit == 0 && self.shown(&cached).as_deref() == Some(truth.as_str());
        self.must(right, case, "the cache does not answer again", &cached);
        let mut check = self.after(offset, "cache check --full");
        if check.exit == 12 && check.stdout.contains("sections are not records") {
            // Half of a record is in the tally: what can be read of it is counted by the next that folds it.
            self.after(offset, "cache cleanup");
            check = self.after(offset, "cache check --full");
        }
        self.must(check.exit == 0, case, "the cache is not sound afterwards", &check);
    }

    /// Fails with all that went wrong.
    #[track_caller]
    pub(crate) fn end(&self) {
        assert!(self.faults.is_empty(), "{} cases went wrong:\n{}", self.faults.len(), self.faults.join("\n"));
    }
}

/// Copies a folder with all that is in it, modes included.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
