//! Whether an XML document of a service is the one that was asked for. Those of listings have no part that has to be there: a
//! reader finds an empty one in every other document, and who takes that for the truth deletes what is not in it.

use std::borrow::Cow;

use object_store::client::{HttpError, HttpErrorKind};
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

/// How the roots of answers end: `ListBucketResult`, `EnumerationResults`, `AssumeRoleResponse`; those of tags have but a name.
const ROOTS: [&str; 5] = ["Result", "Results", "Response", "Tagging", "Tags"];

/// Characters of an unexpected document that an error shows.
const SHOWN: usize = 80;

/// Sees that `page` is a page of a listing, and that it says where the next one begins if there is one.
///
/// # Errors
/// It is something else, as the page of a proxy that people are to log in at, or the description of a failure; or it ends
/// before the listing does.
pub(super) fn expect_page(page: &[u8]) -> Result<(), HttpError> {
    expect(page)?;
    let text = String::from_utf8_lossy(page);
    let says_more = texts(&text, "IsTruncated").next().is_some_and(|text| text.trim() == "true");
    if says_more && texts(&text, "NextContinuationToken").all(|token| token.is_empty()) {
        return Err(wrong(
            "the page of the listing says that more follow, and not where they begin (it has no NextContinuationToken): the \
             service has to know version 2 of ListObjects"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Whether `document` describes a failure, whatever the status of the reply.
pub(crate) fn is_failure(document: &[u8]) -> bool {
    root(document).is_some_and(|root| root == "Error")
}

/// Sees that `document` is the answer to a request that was granted, by its root.
///
/// # Errors
/// It is something else.
pub(crate) fn expect(document: &[u8]) -> Result<(), HttpError> {
    match root(document).as_deref() {
        Some(root) if ROOTS.iter().any(|end| root.ends_with(end)) => Ok(()),
        Some("Error") => {
            let text = String::from_utf8_lossy(document);
            let first = |name| texts(&text, name).next().unwrap_or_default();
            let (code, message) = (first("Code"), first("Message"));
            Err(wrong(format!(
                "the server granted the request and described a failure: {code}: {message}"
            )))
        }
        _ => Err(other(&String::from_utf8_lossy(document))),
    }
}

fn other(document: &str) -> HttpError {
    let shown: String = document.trim_start().chars().take(SHOWN).collect();
    wrong(format!(
        "the reply is no document of the service, but begins with {shown:?}: see that the endpoint is right and that no \
         proxy answers in its place"
    ))
}

fn wrong(text: String) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, std::io::Error::other(text))
}

/// Sees that `document` lists the properties of resources as WebDAV does (RFC 4918, 13), to its end.
///
/// # Errors
/// It is something else, or ends before that; or it lists nothing, not even what was asked about.
pub(crate) fn expect_multistatus(document: &[u8]) -> Result<(), HttpError> {
    let mut reader = Reader::from_reader(document);
    let (mut depth, mut responses) = (0_usize, 0_usize);
    let cut = || wrong("the listing of the directory ends in the middle, or is none".to_owned());
    loop {
        match reader.read_event().map_err(|_| cut())? {
            Event::Start(element) => {
                let name = element.local_name();
                match depth {
                    0 if name.as_ref() != b"multistatus" => {
                        return Err(other(&String::from_utf8_lossy(document)));
                    }
                    1 if name.as_ref() == b"response" => responses += 1,
                    _ => {}
                }
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof if depth == 0 && responses > 0 => return Ok(()),
            Event::Eof => return Err(cut()),
            _ => {}
        }
    }
}

/// The name of the first element, without its namespace.
fn root(document: &[u8]) -> Option<String> {
    let mut reader = Reader::from_reader(document);
    loop {
        match reader.read_event().ok()? {
            Event::Start(root) | Event::Empty(root) => {
                return String::from_utf8(root.local_name().into_inner().to_vec()).ok();
            }
            // Text before it is none of XML's, but space.
            Event::Text(text) if !text.trim_ascii().is_empty() => return None,
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// The texts of all elements `name`.
pub(super) fn texts<'a>(page: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let open = format!("<{name}>");
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let text = &after[..after.find('<')?];
        rest = after;
        // A reference to a character that XML does not have is shown as it came.
        Some(unescape(text).unwrap_or(text.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_webdav_is_listed_to_its_end() {
        let whole = "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/a/</D:href></D:response>\n\
                     </D:multistatus>\n";
        assert!(expect_multistatus(whole.as_bytes()).is_ok());
        for cut in [50, whole.find("\n</D").unwrap(), whole.len() - 3] {
            assert!(expect_multistatus(&whole.as_bytes()[..cut]).is_err(), "{cut}");
        }
        for other in
            ["", "<error/>", "<html></html>", "<D:multistatus xmlns:D=\"DAV:\"></D:multistatus>"]
        {
            assert!(expect_multistatus(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_no_listing_is_not_taken_for_an_empty_one() {
        let page = |inner: &str| {
            format!(
                "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\">{inner}</ListBucketResult>"
            )
        };
        let of = |document: &str| {
            expect_page(document.as_bytes()).map_err(|error| {
                std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
            })
        };
        for right in [
            page(""),
            page("<IsTruncated>false</IsTruncated>"),
            page("<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken>"),
            "\u{feff}<EnumerationResults/>".to_owned(),
            "<s3:ListBucketResult></s3:ListBucketResult>".to_owned(),
        ] {
            assert_eq!(of(&right), Ok(()), "{right}");
        }
        for (other, told) in [
            (
                page("<IsTruncated>true</IsTruncated><NextMarker>k</NextMarker>"),
                "NextContinuationToken",
            ),
            (
                page("<IsTruncated>true</IsTruncated><NextContinuationToken/>"),
                "NextContinuationToken",
            ),
            (
                "<Error><Code>InternalError</Code><Message>Try &amp; again</Message></Error>"
                    .to_owned(),
                "InternalError: Try & again",
            ),
            (
                "<!DOCTYPE html>\n<HTML><body>Please log in</body></HTML>".to_owned(),
                "Please log in",
            ),
            ("{\"error\": 1}".to_owned(), "begins with"),
            (String::new(), "begins with \"\""),
        ] {
            let error = of(&other).unwrap_err();
            assert!(error.contains(told), "{other}: {error}");
        }
    }
}
