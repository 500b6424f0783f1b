#!/usr/bin/env bash
# emergency_disable_cache.sh - Disable cache in emergency
#
#   emergency_disable_cache.sh [FOR] [REASON]     for example: emergency_disable_cache.sh 2h "answers look wrong"
#
# Holds for every process of this state directory, the daemon and cron included, and ends by itself.
set -u

echo "Disabling cache for emergency operations..."
awsideman cache disable --for "${1:-4h}" --reason "${2:-emergency_disable_cache.sh}" || exit $?
awsideman cache status || exit $?
echo "Cache disabled. All operations will bypass cache."
echo "To re-enable: awsideman cache enable"
