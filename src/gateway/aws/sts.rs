//! sts: who we are.
//!
//! The object that `aws sts get-caller-identity` prints.

use super::errors::Ask;
use crate::gateway::aws::json::JsonFields;
use crate::gateway::error::GatewayError;
use aws_sdk_sts::Client;
use serde_json::Value;

pub(super) async fn caller_identity(client: &Client, ask: &Ask) -> Result<Value, GatewayError> {
    let answer = ask.answer(client.get_caller_identity().send().await)?;
    Ok(JsonFields::new()
        .text("UserId", answer.user_id.as_deref())
        .text("Account", answer.account.as_deref())
        .text("Arn", answer.arn.as_deref())
        .object())
}
