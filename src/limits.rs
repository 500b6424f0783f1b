//! The limits of the operating system that stop a process, and what to do about each.

use rustix::io::Errno;
use std::error::Error;
use std::io;

/// What to do where a limit of the operating system stops a process; `None` where it is no such limit.
pub fn hint(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::MFILE => {
            "this process may open no more files: allow more with `ulimit -n 256` (LimitNOFILE of a service)"
        }
        Errno::NFILE => "the host has too many open files: end the process that holds them",
        Errno::FBIG => "files of this process may not grow any more: raise `ulimit -f` (LimitFSIZE of a service)",
        Errno::NOMEM | Errno::AGAIN => {
            "the host gives this process no memory or no thread: raise `ulimit -v` and `ulimit -u` (MemoryMax and TasksMax \
             of a service)"
        }
        _ => return None,
    })
}

/// The limit that an error or one of its causes names: its text, and what to do.
pub fn in_chain(error: &(dyn Error + 'static)) -> Option<(String, &'static str)> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
        let error = error.downcast_ref::<io::Error>()?;
        // An error that wraps another has no number of its own.
        let inner = || error.get_ref().and_then(|inner| in_chain(inner));
        hint(error).map(|hint| (error.to_string(), hint)).or_else(inner)
    })
}

/// What to do where a text names such a limit: some causes reach us only as their text.
pub fn in_text(text: &str) -> Option<&'static str> {
    [Errno::MFILE, Errno::NFILE].into_iter().find_map(|errno| {
        let error = io::Error::from(errno);
        text.contains(&error.to_string()).then(|| hint(&error)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_stops_a_process_is_named() {
        let hint = |code| hint(&io::Error::from_raw_os_error(code));
        assert!(hint(24).is_some_and(|hint| hint.contains("ulimit -n")));
        assert!(hint(27).is_some_and(|hint| hint.contains("ulimit -f")));
        assert_eq!((hint(13), super::hint(&io::Error::other("x"))), (None, None));
    }

    #[test]
    fn a_limit_is_found_behind_the_errors_that_wrap_it() {
        let cause = io::Error::from_raw_os_error(24);
        let text = format!("connect: {cause}");
        let wrapped = io::Error::other(io::Error::other(cause));
        assert!(
            in_chain(&wrapped).is_some_and(|(text, hint)| text.contains("os error 24") && hint.contains("ulimit -n"))
        );
        assert!(in_text(&text).is_some() && in_text("os error 2").is_none());
        assert!(in_chain(&io::Error::from_raw_os_error(2)).is_none());
    }
}
