mod damage;
mod peers;
mod pipes;
mod rounds;

use std::{
    io::{self, Read},
    sync::Arc,
};

use holdall_archive::{Format, Member, Reader, Result, Writer};

pub(crate) const FORMATS: [Format; 4] = [Format::Tar, Format::TarGz, Format::TarLz4, Format::Zip];

/// Names and contents.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

pub(crate) fn files(list: &[(&str, &[u8])]) -> Files {
    list.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect()
}

pub(crate) fn write(format: Format, files: &Files) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), format).unwrap();
    add(&mut writer, files);
    writer.finish().unwrap()
}

pub(crate) fn add<W: io::Write>(writer: &mut Writer<W>, files: &Files) {
    for (name, content) in files {
        let member = Member::file(name, content.len() as u64).modified_at(1_700_000_000);
        writer.append(&member, &mut &content[..]).unwrap();
    }
}

/// Every regular file of an archive.
pub(crate) fn read(bytes: &[u8], format: Format) -> Result<Files> {
    read_all(Reader::open(Arc::new(bytes.to_vec()), format)?)
}

pub(crate) fn read_all(mut reader: Reader) -> Result<Files> {
    let mut files = Files::new();
    while let Some(member) = reader.next_file()? {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map_err(|error| reader.explain(error))?;
        assert_eq!(content.len() as u64, member.size, "{}", member.name);
        files.push((member.name, content));
    }
    Ok(files)
}
