#include "command/siem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/units.h"
#include "command/request.h"
#include "forward/progress.h"
#include "io/clock.h"
#include "io/file.h"

/* What the ledger had so long ago is still not confirmed. */
#define LATE_USEC (300 * USEC_PER_SEC)
/* A forwarder that runs writes its file once a minute. */
#define SILENT_USEC (180 * USEC_PER_SEC)

static int read_progress(const char *path, struct progress *progress, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = directory_open(AT_FDCWD, path, err);

	return fd < 0 ? fd : progress_read(fd, progress, err);
}

static void put_progress(json_t *siem, const struct progress *progress, uint64_t now)
{
	uint64_t next = progress->place.next_index;
	bool silent = now > progress->written_usec + SILENT_USEC;
	bool late = now > progress->until_usec + LATE_USEC;
	const char *sentence = progress->sentence;

	json_put_u64(siem, "forwarded", next);
	json_put_u64(siem, "leaves", progress->leaf_count);
	json_put_u64(siem, "behind", progress->leaf_count > next ? progress->leaf_count - next : 0);
	json_put_u64(siem, "until", progress->until_usec);
	json_put_bool(siem, "connected", progress->connected && !silent);
	json_put_bool(siem, "normal", !late && !silent && !progress->rewound);
	json_put_bool(siem, "rewound", progress->rewound);
	if (silent)
		sentence = "binvault-forward has told nothing for some minutes: does it run?";
	else if (late && !progress->sentence[0])
		sentence = "the SIEM takes it, but is more than five minutes behind";
	json_put_string(siem, "sentence", sentence);
}

void siem_add(const struct config *config, json_t *status)
{
	json_t *siem = json_object();
	struct progress progress;
	struct error err;
	char server[512];

	if (!config->siem.host) {
		json_decref(siem);
		return;
	}
	snprintf(server, sizeof(server), "%s:%u", config->siem.host, (unsigned)config->siem.port);
	json_put_string(siem, "server", server);
	if (read_progress(config->siem.state, &progress, &err) == 0) {
		put_progress(siem, &progress, clock_realtime_usec());
	} else {
		json_put_bool(siem, "connected", false);
		json_put_bool(siem, "normal", false);
		if (err.code == ERROR_NOT_FOUND)
			error_set(&err, ERROR_NOT_FOUND,
				  "nothing has been forwarded yet: does binvault-forward run?");
		json_put_string(siem, "sentence", err.message);
	}
	if (!json_is_true(json_object_get(siem, "normal")))
		json_put_bool(status, "normal", false);
	json_put(status, "siem", siem);
}

void siem_print(const json_t *status)
{
	const json_t *siem = json_object_get(status, "siem");
	const char *sentence = request_text(siem, "sentence");
	uint64_t until = request_number(siem, "until");
	char time[TIME_TEXT_SIZE];

	if (!siem)
		return;
	printf("siem     %s %s", request_text(siem, "server"),
	       json_is_true(json_object_get(siem, "connected")) ? "connected" : "NOT CONNECTED");
	printf(" · %" PRIu64 " of %" PRIu64 " leaves forwarded", request_number(siem, "forwarded"),
	       request_number(siem, "leaves"));
	if (until != 0) {
		time_format(until, time);
		printf(" · all until %.10s %.8sZ", time, time + 11);
	}
	printf("%s%s\n", sentence[0] ? ": " : "", sentence);
}
