// rtmpkit for C++17: owners of the handles of rtmpkit.h, errors as exceptions, events as functions. Header only, no
// state. The rules on top of rtmpkit.h hold here too. An exception that leaves an event handler is logged and goes no
// further; a request that it held is refused.
#ifndef RTMPKIT_HPP
#define RTMPKIT_HPP

#include "rtmpkit/client.hpp"
#include "rtmpkit/core.hpp"
#include "rtmpkit/handle.hpp"
#include "rtmpkit/peer.hpp"
#include "rtmpkit/relay.hpp"
#include "rtmpkit/server.hpp"
#include "rtmpkit/shared_object.hpp"
#include "rtmpkit/value.hpp"

#endif
