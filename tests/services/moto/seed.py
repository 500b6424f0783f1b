"""Fills a moto server with an organization through boto3 and prints what was created, as one JSON object.

Usage: seed.py URL. `tests/services/moto/mod.rs` compares it with what awsideman's own gateway reads.
"""

import json
import sys

import boto3


def main(url):
    def client(name):
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(name, region_name="eu-west-1", endpoint_url=url, **keys)

    store, admin, organizations = client("identitystore"), client("sso-admin"), client("organizations")
    instance = admin.list_instances()["Instances"][0]
    arn, store_id = instance["InstanceArn"], instance["IdentityStoreId"]

    users = {}
    for number in range(205):
        name = f"user{number:03}"
        users[name] = store.create_user(
            IdentityStoreId=store_id,
            UserName=name,
            DisplayName=f"User {number} – ü",
            Name={"GivenName": "User", "FamilyName": str(number)},
            Emails=[{"Value": f"{name}@example.com", "Type": "work", "Primary": True}],
        )["UserId"]
    groups = {}
    for number in range(3):
        name = f"group{number}"
        groups[name] = store.create_group(IdentityStoreId=store_id, DisplayName=name, Description="made by a test")[
            "GroupId"
        ]
    memberships = {}
    for number in range(120):
        name = f"user{number:03}"
        made = store.create_group_membership(
            IdentityStoreId=store_id, GroupId=groups["group0"], MemberId={"UserId": users[name]}
        )
        memberships[made["MembershipId"]] = users[name]

    # moto answers with a number in SessionDuration unless one is given; AWS answers with a text.
    permission_set = admin.create_permission_set(
        InstanceArn=arn, Name="Admin", Description="all of it", SessionDuration="PT4H", RelayState="https://example.com"
    )["PermissionSet"]["PermissionSetArn"]
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    admin.attach_managed_policy_to_permission_set(
        InstanceArn=arn, PermissionSetArn=permission_set, ManagedPolicyArn=policy
    )
    inline = json.dumps({"Version": "2012-10-17", "Statement": []})
    admin.put_inline_policy_to_permission_set(
        InstanceArn=arn, PermissionSetArn=permission_set, InlinePolicy=inline
    )

    organizations.create_organization(FeatureSet="ALL")
    for number in range(24):
        organizations.create_account(AccountName=f"account{number:02}", Email=f"account{number:02}@example.com")
    pages = organizations.get_paginator("list_accounts").paginate()
    accounts = {account["Id"]: account["Name"] for page in pages for account in page["Accounts"]}
    account = sorted(accounts)[0]
    admin.create_account_assignment(
        InstanceArn=arn,
        TargetId=account,
        TargetType="AWS_ACCOUNT",
        PermissionSetArn=permission_set,
        PrincipalType="GROUP",
        PrincipalId=groups["group0"],
    )
    created = {
        "instance": arn,
        "identity_store": store_id,
        "users": users,
        "groups": groups,
        "memberships": memberships,
        "permission_set": permission_set,
        "policy": policy,
        "inline": inline,
        "accounts": accounts,
        "assigned_account": account,
        "root": organizations.list_roots()["Roots"][0]["Id"],
    }
    json.dump(created, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
