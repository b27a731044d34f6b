/*
 * binvault-restores: what the owner has asked for in the bundle's file `restores`, without a login.
 *
 * Each line is one `binvault restore`, once for each version of the bundle: the version whose lines
 * were done stands on the data volume. What was restored lies below [export] path; its hashes are
 * printed. A line that fails is a sentence on the console; the way out is a newer bundle.
 *
 * The ledger has the request with the uid of this program (0) and the line's reason; who asked is
 * whoever signed the bundle, whose hash stands in the `config` leaf before it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "provision/request.h"
#include "provision/text.h"
#include "provision/tool.h"

#define CURRENT	    "/var/lib/binvault/config/current"
#define REQUESTS    CURRENT "/restores"
#define EXPORT	    "/var/lib/binvault/export"
#define DONE	    "/var/lib/binvault/restores/done"
#define LINE_SIZE   4096
#define TRIES	    60
#define UNAVAILABLE 5 /* exit status: the keeper or the HSM is not there yet */
#define WAIT	    5 /* seconds */

/* The version in force is the name that the link leads to. */
static int read_version(char version[64], struct error *err)
{
	ssize_t length = readlink(CURRENT, version, 63);

	if (length < 0)
		return error_set_errno(err, ERROR_FAILED, errno, CURRENT);
	version[length] = '\0';
	return 0;
}

static bool is_done(const char *version)
{
	struct error ignored;
	char done[64];

	return text_read(DONE, done, sizeof(done), &ignored) == 0 && strcmp(done, version) == 0;
}

static void print_hashes(const struct request *request)
{
	char path[LINE_SIZE], line[LINE_SIZE];
	FILE *sums;

	snprintf(path, sizeof(path), EXPORT "/%s/%s/SHA256SUMS",
		 request->client ? request->client : ".", request->name);
	sums = fopen(path, "re");
	printf("\n"); /* behind what the verb has shown of its progress */
	while (sums && fgets(line, sizeof(line), sums))
		printf("RESTORED %s %s", request->name, line);
	if (sums)
		fclose(sums);
}

static int restore(const struct request *request, struct error *err)
{
	const char *arguments[REQUEST_WORDS_MAX + 5] = {"/usr/sbin/binvault", "restore", "--config",
							CURRENT "/binvault.conf"};
	const struct tool tool = {.arguments = arguments, .output = "/dev/null"};
	int status = UNAVAILABLE, r = 0;

	memcpy(arguments + 4, request->words, (request->count + 1) * sizeof(arguments[0]));
	for (int i = 0; i < TRIES && status == UNAVAILABLE; i++) {
		if (i > 0)
			sleep(WAIT);
		r = tool_status(&tool, &status, err);
		if (r < 0)
			return r;
	}
	/* 6: restored, and something about it is not normal; the manifest says what */
	if (status != 0 && status != 6)
		return error_set(err, ERROR_FAILED, "`binvault restore` ended with status %d",
				 status);
	print_hashes(request);
	return 0;
}

static int restore_all(struct error *err)
{
	char line[LINE_SIZE], version[64];
	FILE *lines = fopen(REQUESTS, "re");
	int r = read_version(version, err);

	if (r < 0 || !lines || is_done(version)) {
		if (lines)
			fclose(lines);
		return r;
	}
	while (fgets(line, sizeof(line), lines)) {
		struct request request = {.count = 0};
		struct error failure = {0};

		line[strcspn(line, "\n")] = '\0';
		if (request_parse(line, &request, &failure) < 0 ||
		    (request.count > 0 && restore(&request, &failure) < 0))
			printf("RESTORE-FAILED %s: %s\n",
			       request.name ? request.name : "a line of the bundle",
			       failure.message);
	}
	fclose(lines);
	return text_replace(DONE, version, 0600, err);
}

int main(void)
{
	struct error err = {0};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (restore_all(&err) < 0) {
		printf("RESTORE-FAILED %s\n", err.message);
		return 1;
	}
	return 0;
}
