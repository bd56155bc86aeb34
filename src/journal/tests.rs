//! Journals cut, padded, flipped and made of noise.

use super::*;

const KIND: Kind = Kind { magic: *b"TEST", version: 3 };

fn journal(payloads: &[&[u8]]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), KIND).unwrap();
    for p in payloads {
        writer.append(p).unwrap();
    }
    writer.into_inner()
}

fn read_all(bytes: &[u8]) -> (Vec<Vec<u8>>, u64, End) {
    let mut reader = Reader::new(bytes, KIND).unwrap();
    let mut out = Vec::new();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        out.push(chunk.to_vec());
    }
    (out, reader.position(), reader.end().unwrap())
}

#[test]
fn what_was_written_is_read() {
    let bytes = journal(&[b"one", b"two", &[0; 9]]);
    assert_eq!(read_all(&bytes), (vec![b"one".to_vec(), b"two".to_vec(), vec![0; 9]], bytes.len() as u64, End::Clean));
}

#[test]
fn a_file_cut_at_any_byte_gives_every_whole_chunk_before_the_cut() {
    let payloads: [&[u8]; 4] = [b"first", b"second one", b"x", b"the last of them"];
    let bytes = journal(&payloads);
    let mut ends = vec![HEADER_BYTES];
    for p in payloads {
        ends.push(ends[ends.len() - 1] + FRAME_BYTES + p.len());
    }
    for cut in HEADER_BYTES..=bytes.len() {
        let whole = ends.iter().filter(|e| **e <= cut).count() - 1;
        let expected_end = if ends.contains(&cut) { End::Clean } else { End::Cut };
        let (read, position, end) = read_all(&bytes[..cut]);
        assert_eq!(read, payloads[..whole].iter().map(|p| p.to_vec()).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!((position, end), (ends[whole] as u64, expected_end), "cut at {cut}");
        let mut chunks = Chunks::new(&bytes[..cut], HEADER_BYTES);
        assert_eq!(chunks.by_ref().count(), whole);
        assert_eq!((chunks.offset(), chunks.end()), (ends[whole], Some(expected_end)), "cut at {cut}");
    }
}

#[test]
fn a_cut_that_is_padded_with_zeros_still_gives_every_whole_chunk() {
    let payloads: [&[u8]; 2] = [b"first", b"second one"];
    let bytes = journal(&payloads);
    let first_end = HEADER_BYTES + FRAME_BYTES + payloads[0].len();
    for cut in first_end..bytes.len() {
        let mut damaged = bytes[..cut].to_vec();
        damaged.resize(bytes.len() + 64, 0);
        let (read, position, end) = read_all(&damaged);
        assert_eq!((read, position), (vec![payloads[0].to_vec()], first_end as u64), "cut at {cut}");
        assert_eq!(end, if cut == first_end { End::Clean } else { End::Corrupt }, "cut at {cut}");
    }
}

#[test]
fn any_flipped_bit_of_a_chunk_ends_the_reading_before_it() {
    let bytes = journal(&[b"first", b"second one"]);
    let first_end = HEADER_BYTES + FRAME_BYTES + 5;
    for bit in first_end * 8..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (read, position, end) = read_all(&damaged);
        assert_eq!((read.len(), position), (1, first_end as u64), "bit {bit}");
        assert_ne!(end, End::Clean, "bit {bit}");
    }
}

#[test]
fn unused_preallocated_space_is_a_clean_end() {
    let mut bytes = journal(&[b"one"]);
    let good = bytes.len() as u64;
    for _ in 0..20 {
        bytes.push(0);
        assert_eq!(read_all(&bytes), (vec![b"one".to_vec()], good, End::Clean));
    }
}

#[test]
fn a_wrong_header_is_refused_with_the_reason() {
    let bytes = journal(&[]);
    assert_eq!(KIND.check(&bytes), Ok(()));
    assert_eq!(KIND.check(&bytes[..7]), Err(HeaderError::TooShort));
    for written in 0..5 {
        let mut cut = bytes[..written].to_vec();
        cut.resize(64, 0);
        assert_eq!(KIND.check(&cut), Err(HeaderError::TooShort), "cut off at {written} in preallocated space");
    }
    assert_eq!(KIND.check(b"RIFF1234"), Err(HeaderError::WrongMagic));
    let newer = Kind { version: 4, ..KIND };
    assert_eq!(KIND.check(&newer.header()), Err(HeaderError::WrongVersion { found: 4, expected: 3 }));
}

#[test]
fn filling_in_place_gives_the_same_bytes() {
    let (mut a, mut b) = (vec![7], vec![7]);
    append_chunk(&mut a, b"payload");
    append_chunk_with(&mut b, |out| out.extend_from_slice(b"payload"));
    assert_eq!(a, b);
    append_chunk_with(&mut b, |_| {});
    assert_eq!(a, b, "an empty payload writes nothing");
}

#[test]
fn arbitrary_bytes_never_panic_and_never_read_beyond_their_end() {
    proptest::proptest!(|(bytes: Vec<u8>, offset in 0usize..80)| {
        let mut chunks = Chunks::new(&bytes, offset);
        let total: usize = chunks.by_ref().map(<[u8]>::len).sum();
        assert!(total <= bytes.len());
    });
}
