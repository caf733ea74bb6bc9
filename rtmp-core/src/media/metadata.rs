//! Stream metadata: the `onMetaData` data message (FLV 10.1 E.5).

/// The name of the metadata message, as an AMF0 string.
const ON_META_DATA: &[u8] = b"\x02\x00\x0AonMetaData";
/// What publishers put before it so that the server keeps it, as an AMF0 string.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0D@setDataFrame";

/// Whether a data message body is `onMetaData`, with or without a leading `@setDataFrame`, in the AMF0 or the AMF3
/// form (leading zero byte).
pub fn is_metadata(body: &[u8]) -> bool {
    strip_set_data_frame(body)
        .strip_prefix(&[0])
        .unwrap_or(strip_set_data_frame(body))
        .starts_with(ON_META_DATA)
}

/// The body without a leading `@setDataFrame`: what players receive. The AMF3 form loses its leading zero byte too,
/// which only says that AMF3 values may follow an AMF0 marker; a body without the prefix comes back whole.
pub fn strip_set_data_frame(body: &[u8]) -> &[u8] {
    let amf0 = body.strip_prefix(&[0]).unwrap_or(body);
    amf0.strip_prefix(SET_DATA_FRAME).unwrap_or(body)
}
