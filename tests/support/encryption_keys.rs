//! Worlds with an encrypted cache, and the status of their keys.

use crate::world::World;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Writes the file with these keys, readable by its owner only.
pub(crate) fn keys(world: &World, lines: &[&str]) -> PathBuf {
    let path = world.write("cache.key", &(lines.join("\n") + "\n"));
    mode(&path, 0o600);
    path
}

/// Sets the mode of a file.
pub(crate) fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A world whose cache is encrypted with these keys.
pub(crate) fn sealed(mut world: World, lines: &[&str]) -> World {
    let path = keys(&world, lines).display().to_string();
    world.set("AWSIDEMAN_CACHE_ENCRYPTION_ENABLED", "true").set("AWSIDEMAN_CACHE_ENCRYPTION_KEY_FILE", &path);
    world
}

#[track_caller]
pub(crate) fn encryption(world: &World) -> Value {
    world.run(["cache", "encryption", "status", "--json"]).ok().json()
}

/// How many entries are encrypted with the keys of this role.
pub(crate) fn under(status: &Value, role: &str) -> u64 {
    let keys = status["keys"].as_array().unwrap().iter().filter(|key| key["role"] == role);
    keys.map(|key| key["entries"].as_u64().unwrap()).sum()
}
