//! The content of a request: plain, or in the pieces that AWS's clients make of it (`aws-chunked`), signed or not, with
//! a trailer or without.

use bytes::{Bytes, BytesMut};
use sha2::Digest as _;

use super::access::Chain;
use super::fault::{Fault, Result};
use crate::engine::pour::Source;
use crate::error::Error;
use crate::http::Input;

/// Longest line between pieces, and most bytes of a trailer.
const MAX_LINE: usize = 16 << 10;

/// Content coming in.
pub(crate) struct Payload<'a> {
    input: &'a mut Input,
    pieces: Option<Pieces>,
    len: Option<u64>,
    /// Told instead of the error that the reader got.
    fault: Option<Fault>,
    trailers: Vec<(String, String)>,
}

struct Pieces {
    buffer: BytesMut,
    state: State,
    /// What signs the pieces.
    chain: Option<Chain>,
    has_trailer: bool,
    read: u64,
}

enum State {
    /// Before the line that begins a piece.
    Line,
    /// Inside a piece.
    Inside { left: u64, hash: sha2::Sha256, signature: String },
    /// Behind the last one.
    End,
}

impl<'a> Payload<'a> {
    /// The content of a request with these headers. The chain is for signed pieces, where signatures are checked.
    ///
    /// # Errors
    ///
    /// When the form is unknown, or a length is none.
    pub(crate) fn new(
        headers: &http::HeaderMap,
        input: &'a mut Input,
        chain: Option<Chain>,
    ) -> Result<Self> {
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let form = text("x-amz-content-sha256");
        let (signed, has_trailer) = match form {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => (true, false),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => (true, true),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => (false, true),
            other if other.starts_with("STREAMING-") => {
                return Err(Fault::unsupported(format_args!("the content form {other}")));
            }
            _ => {
                let len = input.len();
                return Ok(Self { input, pieces: None, len, fault: None, trailers: Vec::new() });
            }
        };
        let len = text("x-amz-decoded-content-length");
        let len = len.parse().map_err(|_| {
            let text = "x-amz-decoded-content-length must tell the length of the content";
            Fault::new(411, "MissingContentLength", text)
        })?;
        let pieces = Pieces {
            buffer: BytesMut::new(),
            state: State::Line,
            chain: chain.filter(|_| signed),
            has_trailer,
            read: 0,
        };
        Ok(Self { input, pieces: Some(pieces), len: Some(len), fault: None, trailers: Vec::new() })
    }

    /// The content's length, if told.
    pub(crate) fn len(&self) -> Option<u64> {
        self.len
    }

    /// What came behind the content, once it was read.
    pub(crate) fn trailers(&self) -> &[(String, String)] {
        &self.trailers
    }

    /// The error to tell for one of reading.
    pub(crate) fn fault(&mut self, error: Error) -> Fault {
        self.fault.take().unwrap_or_else(|| {
            if error.kind() == crate::ErrorKind::Invalid {
                let mut fault = Fault::new(400, "IncompleteBody", error.message());
                fault.cause = Some(Box::new(error));
                return fault;
            }
            error.into()
        })
    }

    /// Everything, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// When there is more, or it is not what was announced.
    pub(crate) async fn all(&mut self, limit: usize) -> Result<Bytes> {
        let too_large =
            || Fault::new(413, "EntityTooLarge", format!("the body is larger than {limit} bytes"));
        if self.len.is_some_and(|len| len > limit as u64) {
            return Err(too_large());
        }
        let mut all = BytesMut::new();
        while let Some(next) = self.next().await.map_err(|error| self.fault(error))? {
            if all.len() + next.len() > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&next);
        }
        Ok(all.freeze())
    }
}

impl Source for Payload<'_> {
    type Error = Error;

    async fn next(&mut self) -> crate::Result<Option<Bytes>> {
        let Some(pieces) = &mut self.pieces else { return self.input.next().await };
        match pieces.next(self.input, self.len.unwrap_or(0), &mut self.trailers).await {
            Ok(bytes) => Ok(bytes),
            Err(Stop::Read(error)) => Err(error),
            Err(Stop::Fault(fault)) => {
                let error = Error::invalid(fault.message.clone());
                self.fault = Some(fault);
                Err(error)
            }
        }
    }
}

/// Why reading ended early.
enum Stop {
    Read(Error),
    Fault(Fault),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Read(error)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn incomplete(reason: &str) -> Fault {
    let text = format!("the body in pieces (aws-chunked) is not whole or not valid: {reason}");
    Fault::new(400, "IncompleteBody", text)
}

impl Pieces {
    async fn next(
        &mut self,
        input: &mut Input,
        len: u64,
        trailers: &mut Vec<(String, String)>,
    ) -> Result<Option<Bytes>, Stop> {
        loop {
            match &mut self.state {
                State::End => return Ok(None),
                State::Line => {
                    let line = self.line(input).await?;
                    let (size, signature) = header(&line)?;
                    self.read = self.read.saturating_add(size);
                    if self.read > len {
                        return Err(incomplete("there is more than was announced").into());
                    }
                    if size == 0 {
                        self.end(input, &signature, len, trailers).await?;
                        continue;
                    }
                    let hash = sha2::Sha256::default();
                    self.state = State::Inside { left: size, hash, signature };
                }
                State::Inside { left: 0, .. } => self.close(input).await?,
                State::Inside { left, hash, .. } => {
                    if self.buffer.is_empty() {
                        let more = input.next().await?;
                        let more = more.ok_or_else(|| incomplete("it ends inside a piece"))?;
                        self.buffer = BytesMut::from(more);
                    }
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                    let bytes = self.buffer.split_to(take).freeze();
                    *left -= take as u64;
                    if self.chain.is_some() {
                        hash.update(&bytes);
                    }
                    return Ok(Some(bytes));
                }
            }
        }
    }

    /// Ends a piece.
    async fn close(&mut self, input: &mut Input) -> Result<(), Stop> {
        if !self.line(input).await?.is_empty() {
            return Err(incomplete("a piece is longer than it says").into());
        }
        let state = std::mem::replace(&mut self.state, State::Line);
        if let (State::Inside { hash, signature, .. }, Some(chain)) = (state, &mut self.chain) {
            chain.piece(&hash.finalize(), &signature)?;
        }
        Ok(())
    }

    /// Reads what follows the last piece.
    async fn end(
        &mut self,
        input: &mut Input,
        signature: &str,
        len: u64,
        trailers: &mut Vec<(String, String)>,
    ) -> Result<(), Stop> {
        if self.read != len {
            return Err(incomplete("there is less than was announced").into());
        }
        if let Some(chain) = &mut self.chain {
            chain.piece(&sha2::Sha256::digest(b""), signature)?;
        }
        let (mut signed, mut own) = (String::new(), None);
        while signed.len() < MAX_LINE {
            let line = self.line(input).await?;
            let Some((name, value)) = line.split_once(':') else { break };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
            if name == "x-amz-trailer-signature" {
                own = Some(value);
                continue;
            }
            signed.push_str(&format!("{name}:{value}\n"));
            trailers.push((name, value));
        }
        if let Some(chain) = &mut self.chain
            && self.has_trailer
        {
            chain.trailer(&signed, &own.unwrap_or_default())?;
        }
        input.drain().await?;
        self.state = State::End;
        Ok(())
    }

    /// A line without its end. The end of the body ends a line, too: not all clients send the last one.
    async fn line(&mut self, input: &mut Input) -> Result<String, Stop> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.buffer.split_to(end + 2);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.buffer.len() > MAX_LINE {
                return Err(incomplete("a line is too long").into());
            }
            match input.next().await? {
                Some(more) => self.buffer.extend_from_slice(&more),
                None if self.buffer.is_empty() => return Ok(String::new()),
                None => {
                    let line = self.buffer.split();
                    return Ok(String::from_utf8_lossy(&line).into_owned());
                }
            }
        }
    }
}

/// The size of a piece, in hexadecimal digits, and its signature.
fn header(line: &str) -> Result<(u64, String)> {
    let mut fields = line.split(';').map(str::trim);
    let size = fields.next().unwrap_or_default();
    let size = u64::from_str_radix(size, 16).map_err(|_| incomplete("a piece without a size"))?;
    let signature = fields.find_map(|field| field.strip_prefix("chunk-signature="));
    Ok((size, signature.unwrap_or_default().to_owned()))
}
