//! Rules that the sources keep; these tests need no part of awsideman and link nothing of it.

mod architecture;
mod language;
mod type_names;
