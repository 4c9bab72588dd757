//! A connection to a shadow: its name, its address, TLS where it is asked for.
//!
//! Invariant: what can go wrong here is a [`Fault::Connect`] that names host and port as they were configured.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fault::{Fault, io_words};
use crate::tls::words;

/// How long an address has before the next is tried beside it (RFC 8305 §5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Where a shadow is.
pub struct Address {
    /// A name or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS, or `None` for plain HTTP.
    pub tls: Option<Arc<ClientConfig>>,
}

/// A connection.
pub enum Stream {
    /// Plain.
    Plain(TcpStream),
    /// Over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether the two sides agreed on HTTP/2.
    pub fn is_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

impl Address {
    /// Connect. Nothing bounds the time here.
    pub async fn connect(&self) -> Result<Stream, Fault> {
        let refused = |what: &str| Fault::Connect(format!("{}:{}: {what}", self.host, self.port));
        let addresses = self.resolve().await.map_err(|_| refused("the name is not known"))?;
        if addresses.is_empty() {
            return Err(refused("the name has no address"));
        }
        let stream = first_of(&addresses).await.map_err(|error| refused(io_words(&error)))?;
        // A request goes out in one write: waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        let Some(config) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| refused("SSL: the host is no name that a certificate can hold"))?;
        match TlsConnector::from(Arc::clone(config)).connect(name, stream).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(error) => {
                Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).map(words) {
                    Some((true, why)) => {
                        Fault::Connect(format!("certificate refused: {}:{}: {why}", self.host, self.port))
                    }
                    Some((false, why)) => refused(&format!("SSL: {why}")),
                    None => refused(&format!("SSL: in the handshake: {}", io_words(&error))),
                })
            }
        }
    }

    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        Ok(lookup_host((self.host.as_str(), self.port)).await?.collect())
    }
}

/// The first connection of several addresses, in turns of the two families (RFC 8305): one that does not answer delays
/// the others by a moment only.
async fn first_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    if let [one] = addresses {
        return TcpStream::connect(one).await;
    }
    let mut waiting = in_turns(addresses).into_iter();
    let mut tries: Vec<Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>> = Vec::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = waiting.next();
        if next.is_none() && tries.is_empty() {
            return Err(last);
        }
        let more = next.is_some();
        tries.extend(next.map(|address| Box::pin(TcpStream::connect(address)) as Pin<Box<dyn Future<Output = _>>>));
        let mut pause = pin!(tokio::time::sleep(NEXT_ADDRESS));
        let found = poll_fn(|cx| {
            let mut at = 0;
            while at < tries.len() {
                match tries[at].as_mut().poll(cx) {
                    Poll::Ready(found) => {
                        drop(tries.swap_remove(at));
                        return Poll::Ready(Some(found));
                    }
                    Poll::Pending => at += 1,
                }
            }
            if more { pause.as_mut().poll(cx).map(|()| None) } else { Poll::Pending }
        })
        .await;
        match found {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last = error,
            None => {}
        }
    }
}

fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses[0].is_ipv6();
    let (mut ones, mut others): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|one| one.is_ipv6() == first_is_v6);
    let mut turns = Vec::with_capacity(addresses.len());
    ones.reverse();
    others.reverse();
    while !(ones.is_empty() && others.is_empty()) {
        turns.extend(ones.pop());
        turns.extend(others.pop());
    }
    turns
}
