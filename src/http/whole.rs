//! Reads the body of an answer into memory, up to a limit.
//!
//! Guarantee: no more than the limit and one chunk is read, whatever the server sends or announces.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use std::error::Error;
use tokio::sync::Mutex;

/// A body that was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The server sends, or announces, more than the limit.
    #[error("it is longer than {} MiB", limit / (1024 * 1024))]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// The connection failed before the end.
    #[error(transparent)]
    Broken(Box<dyn Error + Send + Sync>),
}

/// A body beyond this size is large.
const LARGE: usize = 1024 * 1024;

/// Takes the body out of an answer and reads it. The rest of a body that is too long is not read: its connection closes.
/// Of the large bodies that share a `turn`, one is read at a time: together they would take the memory of the process.
pub async fn whole(response: &mut HttpResponse, limit: u64, turn: &Mutex<()>) -> Result<Vec<u8>, BodyError> {
    let announced = response.headers().get("content-length").and_then(|text| text.trim().parse::<u64>().ok());
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLong { limit });
    }
    let (mut stream, mut bytes, mut mine) = (ByteStream::new(body), Vec::new(), None);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| BodyError::Broken(error.into()))?;
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(BodyError::TooLong { limit });
        }
        if mine.is_none() && bytes.len() + chunk.len() > LARGE {
            mine = Some(turn.lock().await);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
