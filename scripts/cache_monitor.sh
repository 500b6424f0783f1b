#!/usr/bin/env bash
# cache_monitor.sh - Monitor cache health and alert on issues
#
# For hosts that watch with cron and mail and do not run our own health job (which mails once when something starts and
# once when it is over; see `awsideman jobs list`). Mails only when a check is critical or the check itself failed.
#
#   LOG_FILE     where findings are kept   (default: $HOME/awsideman_cache_monitor.log, /var/log/... for root)
#   ALERT_EMAIL  who gets the mail         (default: admin@example.com)
set -u

if [ "$(id -u)" = 0 ]; then default_log=/var/log/awsideman_cache_monitor.log; else default_log="$HOME/awsideman_cache_monitor.log"; fi
LOG_FILE="${LOG_FILE:-$default_log}"
ALERT_EMAIL="${ALERT_EMAIL:-admin@example.com}"

# Not `local output=$(...)`: that would hide the exit code. Not `2>&1`: notices are not part of the JSON.
errors=$(mktemp) || exit 1
trap 'rm -f "$errors"' EXIT
output=$(awsideman cache health --json 2>"$errors")
exit_code=$?

case $exit_code in
0) exit 0 ;;
6) findings=$(printf '%s' "$output" | jq -r '.issues[]') ;;
*) findings="Cache status check failed (exit $exit_code): $(head -3 "$errors")" ;;
esac

{
    date '+%Y-%m-%dT%H:%M:%S%z'
    printf '%s\n' "$findings"
} >>"$LOG_FILE"

{
    printf '%s\n\n' "$findings"
    printf 'Host: %s\nNext: awsideman cache status --detailed\n' "$(uname -n)"
} | mail -s "awsideman Cache Health Alert" "$ALERT_EMAIL"
exit 1
