//! `holdall sign`.

use anyhow::Result;
use holdall::store::Method;
use serde_json::json;

use super::Context;
use crate::Exit;
use crate::args::{Sign, SignMethod};
use crate::place::End;

pub(super) async fn run(context: &Context<'_>, args: &Sign) -> Result<Exit> {
    let method = match args.method {
        SignMethod::Get => Method::GET,
        SignMethod::Put => Method::PUT,
        SignMethod::Head => Method::HEAD,
        SignMethod::Delete => Method::DELETE,
    };
    for text in &args.places {
        let place = context.place(text, End::Only)?;
        let signed = place.store.sign(method.clone(), &place.path, args.expires).await?;
        let json = || json!({"url": place.url(), "signed_url": signed.as_str(), "method": method.as_str()});
        context.printer.data(|| signed.to_string(), json)?;
    }
    Ok(Exit::Done)
}
