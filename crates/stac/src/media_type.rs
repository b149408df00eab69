//! Whether what a server sends is what an asset says it is.

use crate::error::{Error, Result};

/// Types that servers send for anything.
const ANYTHING: [&str; 2] = ["binary/octet-stream", "application/octet-stream"];

/// Names of the same format, each of which stands for the other.
const SAME: [(&str, &str); 3] = [
    ("image/tiff", "image/tiff; application=geotiff; profile=cloud-optimized"),
    ("image/tiff", "image/tiff; application=geotiff"),
    ("text/xml", "application/xml"),
];

/// Checks a media type against the one of the asset.
///
/// Servers that send `octet-stream` say nothing; a plain TIFF may be a GeoTIFF or a COG and the other way round; the two
/// names of XML are one. Letter case does not count, nor do spaces around parameters, nor `charset`.
///
/// # Errors
/// [`ErrorKind::ContentType`](crate::ErrorKind::ContentType), with both types.
pub fn check(target: &str, actual: &str, expected: &str) -> Result<()> {
    let (a, e) = (normal(actual), normal(expected));
    let is_pair = |(x, y): &(&str, &str)| {
        let (x, y) = (normal(x), normal(y));
        (a == x && e == y) || (a == y && e == x)
    };
    if a.is_empty() || a == e || ANYTHING.contains(&a.as_str()) || SAME.iter().any(is_pair) {
        Ok(())
    } else {
        Err(Error::content_type(target, actual, expected))
    }
}

fn normal(media_type: &str) -> String {
    let parts: Vec<_> =
        media_type.split(';').map(|part| part.trim().to_ascii_lowercase()).collect();
    let counts = |part: &String| !part.is_empty() && !part.starts_with("charset=");
    parts.into_iter().filter(counts).collect::<Vec<_>>().join(";")
}

/// Whether a media type is one of those that Zarr stores go by: `application/vnd+zarr`, `application/vnd.zarr; version=3`,
/// `application/x-zarr`. Archives of one (`…zarr+zip`) are files.
pub fn is_zarr(media_type: &str) -> bool {
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    bare.to_ascii_lowercase().ends_with("zarr")
}

/// The media type that the name of a file tells, for uploads of assets without one.
pub fn of_name(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "tif" | "tiff" => "image/tiff; application=geotiff",
        "jp2" => "image/jp2",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "json" => "application/json",
        "geojson" => "application/geo+json",
        "xml" => "application/xml",
        "txt" | "mtl" => "text/plain",
        "csv" => "text/csv",
        "html" => "text/html",
        "pdf" => "application/pdf",
        "nc" | "nc4" => "application/netcdf",
        "h5" | "hdf5" => "application/x-hdf5",
        "hdf" => "application/x-hdf",
        "parquet" => "application/vnd.apache.parquet",
        "gpkg" => "application/geopackage+sqlite3",
        "zip" => "application/zip",
        "laz" => "application/vnd.laszip",
        "grib" | "grib2" | "grb2" => "application/wmo-GRIB2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_with_two_names_pass_and_others_do_not() {
        for (actual, expected) in [
            ("image/tiff", "image/tiff; application=geotiff"),
            ("image/tiff; application=geotiff; profile=cloud-optimized", "image/tiff"),
            ("image/tiff;application=geotiff", "image/tiff; application=geotiff"),
            ("application/xml", "text/xml"),
            ("binary/octet-stream", "image/png"),
            ("Text/Plain; charset=utf-8", "text/plain"),
        ] {
            check("x", actual, expected).unwrap();
        }
        let error = check("x", "text/html", "image/png").unwrap_err();
        assert_eq!(error.actual_and_expected(), Some(("text/html", "image/png")));
    }
}
