//! The rules of `value.rs`, told as tests; its promises stand there.

use super::*;

fn check(kind: Type, given: &Given<'_>) -> Result<Setting, Fault> {
    kind.check(given, Base { directory: Path::new("/etc/awsideman"), home: Some(Path::new("/home/ann")) })
}

#[test]
fn durations_are_seconds_or_have_a_unit_and_keep_to_their_bounds() {
    let minute = Ok(Setting::Time(Duration::from_secs(60)));
    for given in [Given::Integer(60), Given::Text("1m"), Given::Raw("60"), Given::Float(60.0)] {
        assert_eq!(check(Type::Time(1, 100), &given), minute, "{given:?}");
    }
    for given in [Given::Integer(-1), Given::Text("soon"), Given::Bool(true), Given::Raw("2m"), Given::Integer(0)] {
        assert!(check(Type::Time(1, 100), &given).is_err(), "{given:?}");
    }
    let fault = check(Type::Time(1, 100), &Given::Text("2m")).unwrap_err();
    assert_eq!(fault.hint, "write a value from 1s to 1m 40s");
}

#[test]
fn an_offset_is_a_duration_with_a_sign() {
    for (given, text) in [
        (Given::Raw("-1d"), "-1d"),
        (Given::Text("90"), "1m 30s"),
        (Given::Integer(-60), "-1m"),
        (Given::Raw("0"), "0s"),
    ] {
        assert_eq!(check(Type::Offset(100_000), &given), Ok(Setting::Text(text.into())), "{given:?}");
    }
    for given in [Given::Raw("--1d"), Given::Raw("-"), Given::Raw("-2d"), Given::Integer(i64::MIN), Given::Bool(true)] {
        assert!(check(Type::Offset(100_000), &given).is_err(), "{given:?}");
    }
}

#[test]
fn sizes_are_mebibytes_or_have_a_unit() {
    for (given, mib) in [
        (Given::Integer(200), 200.0),
        (Given::Float(0.5), 0.5),
        (Given::Text("1GB"), 1024.0),
        (Given::Raw("200"), 200.0),
        (Given::Raw("200 MB"), 200.0),
    ] {
        assert_eq!(check(Type::Size, &given), Ok(Setting::Number(mib)), "{given:?}");
    }
    for given in [Given::Integer(0), Given::Raw("NaN"), Given::Raw("-3"), Given::Text("big"), Given::Bool(true)] {
        assert!(check(Type::Size, &given).is_err(), "{given:?}");
    }
}

#[test]
fn paths_count_from_their_file_and_from_home() {
    for (text, path) in [
        ("/a/b", "/a/b"),
        ("jobs", "/etc/awsideman/jobs"),
        ("./jobs", "/etc/awsideman/jobs"),
        ("~/c", "/home/ann/c"),
        ("~", "/home/ann"),
    ] {
        assert_eq!(check(Type::Path, &Given::Text(text)), Ok(Setting::Text(path.into())), "{text}");
    }
    let nowhere = Base { directory: Path::new("/"), home: None };
    assert!(Type::Path.check(&Given::Text("~/c"), nowhere).unwrap_err().what.contains("HOME"));
    assert!(check(Type::Path, &Given::Text("")).is_err());
}

#[test]
fn text_from_a_variable_is_read_by_type_and_in_a_file_it_must_have_its_type() {
    assert_eq!(check(Type::Text, &Given::Raw("012345678901")), Ok(Setting::Text("012345678901".into())));
    assert_eq!(check(Type::Flag, &Given::Raw("YES")), Ok(Setting::Flag(true)));
    assert_eq!(check(Type::Words, &Given::Raw("a@b, c@d,")), Ok(Setting::Words(vec!["a@b".into(), "c@d".into()])));
    assert_eq!(check(Type::Whole(1, 9), &Given::Raw("5")), Ok(Setting::Whole(5)));
    for (kind, given) in [
        (Type::Text, Given::Integer(1)),
        (Type::Flag, Given::Text("true")),
        (Type::Whole(1, 9), Given::Text("5")),
        (Type::Whole(1, 9), Given::Integer(10)),
        (Type::Number(0.0, 100.0), Given::Float(100.5)),
        (Type::Url, Given::Text("localhost:80")),
        (Type::Sharing, Given::Text("group:")),
        (Type::Words, Given::List(vec![Given::Integer(1)])),
    ] {
        assert!(check(kind, &given).is_err(), "{kind:?} {given:?}");
    }
}

#[test]
fn a_duration_is_written_so_that_it_reads_back() {
    for seconds in [0, 30, 90, 3_600, 5_400, 86_400, 90_061, 31_622_400] {
        let duration = Duration::from_secs(seconds);
        assert_eq!(parse_duration(&Setting::time_text(duration)), Ok(duration));
    }
}
