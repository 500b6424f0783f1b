//! Tests of `config/types/mod.rs`.

use super::*;

fn check(kind: Type, given: &RawValue<'_>) -> Result<Setting, ValueFault> {
    kind.check(given, BaseDirs { directory: Path::new("/etc/awsideman"), home: Some(Path::new("/home/ann")) })
}

#[test]
fn durations_are_seconds_or_have_a_unit_and_keep_to_their_bounds() {
    let minute = Ok(Setting::Time(Duration::from_secs(60)));
    for given in [RawValue::Integer(60), RawValue::Text("1m"), RawValue::Raw("60"), RawValue::Float(60.0)] {
        assert_eq!(check(Type::Time(1, 100), &given), minute, "{given:?}");
    }
    for given in
        [RawValue::Integer(-1), RawValue::Text("soon"), RawValue::Bool(true), RawValue::Raw("2m"), RawValue::Integer(0)]
    {
        assert!(check(Type::Time(1, 100), &given).is_err(), "{given:?}");
    }
    let fault = check(Type::Time(1, 100), &RawValue::Text("2m")).unwrap_err();
    assert_eq!(fault.hint, "write a value from 1s to 1m 40s");
}

#[test]
fn an_offset_is_a_duration_with_a_sign() {
    for (given, text) in [
        (RawValue::Raw("-1d"), "-1d"),
        (RawValue::Text("90"), "1m 30s"),
        (RawValue::Integer(-60), "-1m"),
        (RawValue::Raw("0"), "0s"),
    ] {
        assert_eq!(check(Type::Offset(100_000), &given), Ok(Setting::Text(text.into())), "{given:?}");
    }
    for given in [
        RawValue::Raw("--1d"),
        RawValue::Raw("-"),
        RawValue::Raw("-2d"),
        RawValue::Integer(i64::MIN),
        RawValue::Bool(true),
    ] {
        assert!(check(Type::Offset(100_000), &given).is_err(), "{given:?}");
    }
    let fault = check(Type::Offset(86_400), &RawValue::Text("2d")).unwrap_err();
    assert_eq!(fault.hint, "write a value from -1d to 1d");
}

#[test]
fn sizes_are_mebibytes_or_have_a_unit() {
    for (given, mib) in [
        (RawValue::Integer(200), 200.0),
        (RawValue::Float(0.5), 0.5),
        (RawValue::Text("1GB"), 1024.0),
        (RawValue::Raw("200"), 200.0),
        (RawValue::Raw("200 MB"), 200.0),
    ] {
        assert_eq!(check(Type::Size, &given), Ok(Setting::Number(mib)), "{given:?}");
    }
    for given in
        [RawValue::Integer(0), RawValue::Raw("NaN"), RawValue::Raw("-3"), RawValue::Text("big"), RawValue::Bool(true)]
    {
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
        assert_eq!(check(Type::Path, &RawValue::Text(text)), Ok(Setting::Text(path.into())), "{text}");
    }
    let nowhere = BaseDirs { directory: Path::new("/"), home: None };
    assert!(Type::Path.check(&RawValue::Text("~/c"), nowhere).unwrap_err().what.contains("HOME"));
    assert!(check(Type::Path, &RawValue::Text("")).is_err());
}

#[test]
fn text_from_a_variable_is_read_by_type_and_in_a_file_it_must_have_its_type() {
    assert_eq!(check(Type::Text, &RawValue::Raw("012345678901")), Ok(Setting::Text("012345678901".into())));
    assert_eq!(check(Type::Flag, &RawValue::Raw("YES")), Ok(Setting::Flag(true)));
    assert_eq!(check(Type::Words, &RawValue::Raw("a@b, c@d,")), Ok(Setting::Words(vec!["a@b".into(), "c@d".into()])));
    assert_eq!(check(Type::Whole(1, 9), &RawValue::Raw("5")), Ok(Setting::Whole(5)));
    for (kind, given) in [
        (Type::Text, RawValue::Integer(1)),
        (Type::Flag, RawValue::Text("true")),
        (Type::Whole(1, 9), RawValue::Text("5")),
        (Type::Whole(1, 9), RawValue::Integer(10)),
        (Type::Number(0.0, 100.0), RawValue::Float(100.5)),
        (Type::Url, RawValue::Text("localhost:80")),
        (Type::Sharing, RawValue::Text("group:")),
        (Type::Words, RawValue::List(vec![RawValue::Integer(1)])),
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
