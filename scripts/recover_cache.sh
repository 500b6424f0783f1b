#!/usr/bin/env bash
# recover_cache.sh - Recover from cache corruption
#
# Nothing needs to be stopped first: running commands and daemons move to the new cache by themselves, and the old one
# stays where it is, as evidence, with a marker next to it.
set -u

echo "Starting cache recovery procedure..."
awsideman cache recover || exit $?
awsideman cache status || exit $?
echo "Cache recovery completed"
