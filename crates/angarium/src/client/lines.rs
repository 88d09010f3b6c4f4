//! Answers of many lines, taken one by one as they come.

use super::Client;
use bytes::BytesMut;
use http::Method;
use http_body_util::BodyExt;

impl Client {
    /// Asks for lines, and hands each over as it comes; what is not UTF-8 is marked.
    ///
    /// # Errors
    /// [`super::ClientError`], and what `take` fails with.
    pub(crate) async fn lines(
        &mut self,
        path: &str,
        mut take: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let response = self.send(self.request(Method::GET, path, None)).await?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let body = body.collect().await.map_err(|source| self.broken(source))?;
            return Err(self.refused(status, &body.to_bytes()).into());
        }
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| self.broken(source))?;
            rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = rest.split_to(end + 1);
                take(String::from_utf8_lossy(&line[..end]).as_ref())?;
            }
        }
        match rest.is_empty() {
            true => Ok(()),
            false => take(String::from_utf8_lossy(&rest).as_ref()),
        }
    }
}
