#include "pull/verdict.h"

#include <stdio.h>

#include "io/clock.h"
#include "pull/servers.h"

void verdict_tell(const struct stream *stream, const struct config_server *server,
		  struct sink *sink)
{
	struct pull_preflight preflight = {.time_usec = clock_realtime_usec()};

	if (stream_verdict(stream)[0] == '\0')
		return;
	preflight.ok = stream_is_fit(stream);
	servers_name(server, preflight.server, sizeof(preflight.server));
	snprintf(preflight.text, sizeof(preflight.text), "%s", stream_verdict(stream));
	sink_preflight(sink, &preflight);
}
