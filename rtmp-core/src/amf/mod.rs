//! AMF0 and AMF3 values and their encodings. Knows nothing of RTMP.
