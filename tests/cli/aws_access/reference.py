"""Makes the calls of all cases with botocore, and in some cases with the AWS CLI itself, in one process.

Reads a list of `{"environment": {...}, "profile": ..., "cli": bool}` from stdin; writes a list of errors (null for none).
The stubs on the other side record who signed.
"""
import contextlib
import io
import json
import os
import sys

import awscli.clidriver
import awscli.customizations.assumerole as assumerole
import botocore.credentials
import botocore.session
import botocore.tokens
from botocore.config import Config

# The package sets it when it is loaded.
DATA = {name: value for name, value in os.environ.items() if name == "AWS_DATA_PATH"}
LOADER = botocore.session.Session().get_component("data_loader")


def command(case):
    words = ["sso-admin", "list-instances"] + (["--profile", case["profile"]] if case["profile"] else [])
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = awscli.clidriver.create_clidriver().main(words)
    return f"exit {code}: {out.getvalue()}" if code else None


def call(case):
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    if case["profile"]:
        # What the AWS CLI does with --profile.
        session.set_config_variable("profile", case["profile"])
    try:
        quick = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)
        session.create_client("sso-admin", config=quick).list_instances()
    except Exception as error:  # what went wrong is the answer
        return f"{type(error).__name__}: {error}"
    return None


results = []
for case in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(DATA)
    os.environ.update(case["environment"])
    home = os.path.join(os.environ["HOME"], ".aws")
    # Both are decided when the modules are loaded.
    botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = os.path.join(home, "sso", "cache")
    botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = os.path.join(home, "sso", "cache")
    assumerole.CACHE_DIR = os.path.join(home, "cli", "cache")
    results.append(command(case) if case["cli"] else call(case))
json.dump(results, sys.stdout)
