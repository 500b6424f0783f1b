//! Exports the cache to a file, and imports it.
//!
//! An archive is readable by its owner alone and takes its place whole or not at all; an import verifies all of it
//! before it stores anything, is refused while the cache is disabled, and asks nothing of AWS.

use crate::app::account::AwsAccount;
use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::maintenance::{Maintenance, Scope};
use crate::app::reading::GatewayBuilder;
use crate::app::stack::StoreStack;
use crate::cache::{CacheError, Exported, Imported, Verified};
use crate::model::Namespace;
use crate::secure_fs;
use crate::store::{Select, Store};
use rustix::fs::OFlags;
use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

/// Bytes of one write.
const BUFFER: usize = 256 * 1024;

/// Exports the cache to a file, and imports it.
pub struct Archive<'a> {
    app: &'a App,
}

impl<'a> Archive<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Archive<'a> {
        Archive { app }
    }

    /// Writes the fresh entries of this profile's space, or of all, to `out`. Where the space is not known, those of the only
    /// instance there is: another instance's are not written unasked.
    pub fn export(&self, all: bool, out: &mut dyn Write) -> Result<(Exported, Scope), AppError> {
        let scope = Maintenance::new(self.app).scope(all);
        let select = match &scope {
            Scope::Space(space) => Select::Space(space.text()),
            Scope::Everything { .. } => Select::All,
        };
        let disk = StoreStack::new(self.app).existing_disk()?;
        if let (Scope::Everything { asked: false }, Some(disk)) = (&scope, &disk) {
            let instances = instances(disk.as_ref())?;
            if instances > 1 {
                return Err(AppError::WhichInstance(instances));
            }
        }
        let cache = match disk {
            Some(disk) => StoreStack::new(self.app).cache_on(&disk),
            None => StoreStack::new(self.app).detached_cache(),
        };
        let instance =
            AwsAccount::new(self.app).selection().carry(&cache, AwsAccount::new(self.app).credential_owner());
        Ok((cache.export(&select, env!("CARGO_PKG_VERSION"), instance, out)?, scope))
    }

    /// The same to a file, which is replaced; a pipe or a device is written into.
    pub fn export_to(&self, all: bool, path: &Path) -> Result<(Exported, Scope), AppError> {
        let fail = |source| CacheError::Archive { action: "write", source };
        // A symlink that was named keeps pointing: the file behind it is replaced.
        let at = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if std::fs::metadata(&at).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let file = File::options().write(true).open(&at).map_err(fail)?;
            if file.is_terminal() {
                return Err(fail(io::Error::other("a terminal cannot show it; name a file")).into());
            }
            let mut out = BufWriter::with_capacity(BUFFER, file);
            let done = self.export(all, &mut out)?;
            out.flush().map_err(fail)?;
            return Ok(done);
        }
        let folder = at.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".awsideman-export-")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)
            .map_err(fail)?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        let done = self.export(all, &mut out)?;
        let file = out.into_inner().map_err(|error| fail(error.into_error()))?;
        file.as_file().sync_all().map_err(fail)?;
        file.persist(&at).map_err(|error| fail(error.error))?;
        Ok(done)
    }

    /// Stores the entries of an archive that this cache lacks, and the instance of the profile; if the instance is not
    /// imported, the second part is the reason.
    pub fn import(&self, from: &mut dyn Read, dry_run: bool) -> Result<(Imported, Option<&'static str>), AppError> {
        // It is read twice and must be the same twice.
        let file = secure_fs::unnamed(&GatewayBuilder::new(self.app).spool_dir()).map_err(fail_private)?;
        let archive = Verified::read(from, file)?;
        let disk = Arc::new(StoreStack::new(self.app).open_disk()?);
        let history = disk.history(self.app.clock().now())?;
        let cache = StoreStack::new(self.app).cache_on(&disk);
        let ticket = cache.ticket()?;
        let done = cache.import(archive, &history, dry_run)?;
        if dry_run {
            return Ok((done, None));
        }
        let refusal = match &done.note {
            Some(instance) => AwsAccount::new(self.app)
                .selection()
                .adopt(&cache, instance, AwsAccount::new(self.app).credential_owner().as_deref(), ticket)
                .err(),
            None => Some("the archive does not name it"),
        };
        if done.stored > 0 || refusal.is_none() {
            Store::settle(disk.as_ref())?;
        }
        Ok((done, refusal))
    }

    /// The same from a regular file.
    pub fn import_from(&self, path: &Path, dry_run: bool) -> Result<(Imported, Option<&'static str>), AppError> {
        let fail = |source| CacheError::Archive { action: "read", source };
        // To open a named pipe would otherwise wait for its writer.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut file = File::options().read(true).custom_flags(flags).open(path).map_err(fail)?;
        if !file.metadata().map_err(fail)?.is_file() {
            return Err(CacheError::NoArchiveFile { path: path.to_owned() }.into());
        }
        self.import(&mut file, dry_run)
    }
}

/// How many instances have entries.
fn instances(store: &dyn Store) -> Result<usize, AppError> {
    let mut spaces = BTreeSet::new();
    store.scan(&Select::All, &mut |meta| {
        if !spaces.contains(&meta.space) && Namespace::parse(&meta.space).is_some() {
            spaces.insert(meta.space.clone());
        }
        ControlFlow::Continue(())
    })?;
    Ok(spaces.len())
}

fn fail_private(error: secure_fs::PrivateError) -> AppError {
    AppError::Store(error.into())
}
