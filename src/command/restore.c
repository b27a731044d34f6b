#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "binlog/flavour.h"
#include "binlog/gtid_text.h"
#include "command/commands.h"
#include "command/request.h"
#include "command/until.h"
#include "protocol/manifest.h"
#include "store/gtids_field.h"

/* More than any set in a leaf takes, as the servers write it. */
#define SKIP_TEXT_SIZE 16384
#define PREFIX_SIZE    24

static int put_limit(struct command_context *context, json_t *request, struct error *err)
{
	const char *time = command_value(context, "until");
	const char *place = command_value(context, "until-position");
	char file[BINLOG_NAME_MAX + 1];
	uint64_t usec, position;
	int r = 0;

	if (time && place)
		return error_set(err, ERROR_USAGE,
				 "--until and --until-position are two ends: give one of them");
	if (time) {
		r = time_parse(time, &usec, err);
		if (r == 0)
			json_put_u64(request, "until_usec", usec);
	}
	if (place) {
		r = until_parse_position(place, file, &position, err);
		if (r == 0) {
			json_put_string(request, "until_file", file);
			json_put_u64(request, "until_position", position);
		}
	}
	return r < 0 ? error_prefix(err, time ? "--until" : "--until-position") : 0;
}

/* What is made: the directory NAME, or the file NAME.tar. */
static int put_form(struct command_context *context, json_t *request, struct error *err)
{
	const char *form = command_value(context, "as");

	if (!form)
		return 0;
	if (strcmp(form, "files") != 0 && strcmp(form, "tar") != 0)
		return error_set(err, ERROR_USAGE, "--as '%.40s': files and tar are known", form);
	json_put_string(request, "form", form);
	return 0;
}

static bool is_tar(const struct command_context *context)
{
	const char *form = command_value(context, "as");

	return form && strcmp(form, "tar") == 0;
}

/* Who may read it over the share. */
static int put_client(struct command_context *context, json_t *request, struct error *err)
{
	const char *client = command_value(context, "client");
	const char *time = command_value(context, "for");
	uint64_t usec;

	if (client)
		json_put_string(request, "client", client);
	if (!time)
		return 0;
	if (!client)
		return error_set(err, ERROR_USAGE,
				 "--for needs --client: who may read it so long?");
	if (duration_parse(time, &usec, err) < 0)
		return error_prefix(err, "--for");
	json_put_u64(request, "keep_usec", usec);
	return 0;
}

static int make_request(struct command_context *context, json_t *request, struct error *err)
{
	const char *from_file = command_value(context, "from-file");
	const char *generation = command_value(context, "generation");
	const char *reason = command_value(context, "reason");
	const char *to = command_value(context, "to");

	if (!to)
		return error_set(err, ERROR_USAGE,
				 "--to NAME is missing: the directory below [export] path that is "
				 "to be made (or the file NAME.tar, with --as tar)");
	if (name_check_export(to, err) < 0)
		return error_prefix(err, "--to '%.80s'", to);
	if (put_form(context, request, err) < 0 || put_client(context, request, err) < 0)
		return err->code;
	json_put_string(request, "verb", "restore");
	json_put_string(request, "source", context->arguments[0]);
	json_put_string(request, "to", to);
	if (from_file)
		json_put_string(request, "from_file", from_file);
	if (generation)
		json_put_string(request, "generation", generation);
	if (reason)
		json_put_string(request, "reason", reason);
	return put_limit(context, request, err);
}

/* --- what came of it ------------------------------------------------------------------------- */

/* A path as a word of the shell. */
static void print_quoted(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-";

	if (text[strspn(text, plain)] == '\0') {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

static void print_command(const char *word, const char *directory)
{
	printf("%-8s (cd ", word);
	print_quoted(directory);
	fputs(" && ", stdout);
}

static struct gtid_interval interval_of(const struct gtid_range *range)
{
	struct gtid_interval interval = {
		.group = {.size = range->group_size},
		.first = range->first,
		.last = range->last,
	};

	memcpy(interval.group.bytes, range->group, range->group_size);
	return interval;
}

/* MariaDB's tool takes one GTID a domain: the last, whichever server wrote it. */
static bool is_passed(const struct gtid_ranges *ranges, const struct gtid_interval *interval)
{
	for (size_t i = 0; i < gtid_ranges_count(ranges); i++) {
		struct gtid_interval other = interval_of(gtid_ranges_at(ranges, i));

		if (gtid_group_same_domain(&other.group, &interval->group) &&
		    other.last > interval->last)
			return true;
	}
	return false;
}

/* The option by which the server's own tool passes over what the generation before held already. */
static int print_skip(enum flavour flavour, const json_t *skip, struct error *err)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *ranges = gtid_ranges_new(GTID_SNAPSHOT_SIZE_MAX);
	CLEANUP(freep)
	char *text = malloc(SKIP_TEXT_SIZE);
	struct gtid_text_writer writer;
	int r = field_get_ranges(skip, ranges, err);

	ASSERT(text);
	gtid_text_writer_init(&writer, text, SKIP_TEXT_SIZE);
	for (size_t i = 0; r == 0 && i < gtid_ranges_count(ranges); i++) {
		struct gtid_interval interval = interval_of(gtid_ranges_at(ranges, i));

		if (!is_passed(ranges, &interval))
			r = gtid_text_writer_add(&writer, &interval, err);
	}
	if (r == 0)
		printf(" %s=%s", flavour == FLAVOUR_MYSQL ? "--exclude-gtids" : "--start-position",
		       text);
	return r;
}

/* "2.": in front of the names of the second generation's files; "" where there is only one. */
static void generation_prefix(size_t count, size_t index, char text[static PREFIX_SIZE])
{
	text[0] = '\0';
	if (count > 1)
		snprintf(text, PREFIX_SIZE, "%zu.", index + 1);
}

/*
 * The files of one generation in one call: temporary tables and LOAD DATA may reach from one file
 * into the next. What it shares with the one before is passed over by GTID, so nothing comes twice.
 */
static void print_replay(const char *directory, const json_t *generation, const char *prefix,
			 const json_t *files)
{
	/* The first byte of an identity is the flavour (pull/identity.h): hex of 'Y' for MySQL. */
	bool mysql = strncmp(request_text(generation, "identity"), "59", 2) == 0;
	enum flavour flavour = mysql ? FLAVOUR_MYSQL : FLAVOUR_MARIADB;
	const json_t *file, *skip = json_object_get(generation, "skip");
	bool overlaps = json_is_true(json_object_get(generation, "overlaps"));
	struct error ignored;
	size_t i;

	print_command("replay", directory);
	fputs(flavour_traits(flavour)->replay_tool, stdout);
	if (skip && print_skip(flavour, skip, &ignored) < 0)
		overlaps = true;
	json_array_foreach(files, i, file)
	{
		const char *name = request_text(file, "name");

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		putchar(' ');
		print_quoted(name);
	}
	/* Without it the client stops at NUL bytes and changes line ends. */
	printf(") | %s --binary-mode\n", mysql ? "mysql" : "mariadb");
	if (overlaps && !skip)
		puts("         these files may repeat transactions of the ones before: the list of "
		     "GTIDs to pass over was too long for the ledger");
}

static void print_replays(const char *directory, const json_t *report)
{
	const json_t *files = json_object_get(report, "files"), *file;
	const json_t *generation, *generations = json_object_get(report, "generations");
	size_t i, k, count = json_array_size(generations);
	char prefix[PREFIX_SIZE];

	json_array_foreach(generations, i, generation)
	{
		bool read = false;

		generation_prefix(count, i, prefix);
		json_array_foreach(files, k, file) read |=
			strncmp(request_text(file, "name"), prefix, strlen(prefix)) == 0;
		if (read)
			print_replay(directory, generation, prefix, files);
	}
}

static void print_until(const struct command_context *context, const json_t *report)
{
	bool limited = command_value(context, "until") || command_value(context, "until-position");
	uint64_t usec = request_number(report, "until_usec");
	char time[TIME_TEXT_SIZE];

	printf("until    %s:%" PRIu64, request_text(report, "until_file"),
	       request_number(report, "until_position"));
	if (usec) {
		time_format(usec, time);
		printf(", last transaction %.19sZ by the server's clock", time);
	}
	putchar('\n');
	if (limited && !json_is_true(json_object_get(report, "limit_reached")))
		puts("         the limit was not reached: what is sealed ends here");
}

/* Commands, for the directory whose files they are about. */
static void print_checks(const json_t *report, const char *directory)
{
	print_command("check", directory);
	puts("sha256sum --check " MANIFEST_SUMS_FILE ")");
	print_command("verify", directory);
	printf("{ printf 'DSSEv1 %zu %s %%d ' $(stat -c %%s " MANIFEST_BODY_FILE
	       "); cat " MANIFEST_BODY_FILE "; } | openssl dgst -sha256 -verify " MANIFEST_KEY_FILE
	       " -signature " MANIFEST_SIGNATURE_FILE ")\n",
	       strlen(MANIFEST_MEDIA_TYPE), MANIFEST_MEDIA_TYPE);
	printf("key      SHA-256 %s, as the ledger's signing-key leaf says\n",
	       request_text(report, "fingerprint"));
}

/* @path: of what was made. */
static void print_text(const struct command_context *context, const json_t *report,
		       const char *path)
{
	/* A tar is unpacked wherever there is room. */
	const char *directory = is_tar(context) ? request_text(report, "to") : path;
	const json_t *files = json_object_get(report, "files");
	uint64_t usec = request_number(report, "elapsed_usec");
	uint64_t size = request_number(report, "binlog_bytes");
	char size_text[SIZE_TEXT_SIZE], rate[REQUEST_RATE_SIZE];

	size_format(size, size_text);
	request_rate(size, usec, rate);
	printf("restored %s to %s      request %s\n", context->arguments[0], path,
	       request_text(report, "request"));
	printf("files    %zu · %s · %s · %.1f s      %" PRIu64 " segments, all verified\n",
	       json_array_size(files), size_text, rate, (double)usec / 1e6,
	       request_number(report, "segment_count"));
	if (json_array_size(files) == 0) {
		puts("until    nothing: the archive begins behind this limit");
		return;
	}
	print_until(context, report);
	if (request_print_crc_wrong(report) > 0)
		puts("         MANIFEST.json says where; a replay may stop there");
	if (is_tar(context)) {
		fputs("unpack   tar -xf ", stdout);
		print_quoted(path);
		putchar('\n');
	}
	print_checks(report, directory);
	print_replays(directory, report);
}

static void print_json(json_t *report, const char *path, bool tar)
{
	json_put(report, "schema", json_integer(1));
	json_put_string(report, tar ? "tar" : "directory", path);
	json_dumpf(report, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
}

static int run(struct command_context *context, struct error *err)
{
	const struct config *config;
	json_t *request = json_object(), *report = NULL;
	char path[4096];
	int r;

	ASSERT(request);
	r = make_request(context, request, err);
	if (r == 0)
		r = command_config(context, &config, err);
	if (r == 0)
		r = request_follow(config, request, &report, err);
	json_decref(request);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", request_text(report, "path"),
		 request_text(report, "name"));
	if (context->output == COMMAND_OUTPUT_JSON)
		print_json(report, path, is_tar(context));
	else
		print_text(context, report, path);
	if (json_array_size(json_object_get(report, "crc_wrong")) > 0)
		r = COMMAND_ATTENTION;
	json_decref(report);
	return r;
}

static const struct command_option options[] = {
	{"to", "NAME", "the directory below [export] path that is made"},
	{"as", "FORM", "files (default), or tar: one file NAME.tar with all of them in NAME/"},
	{"client", "NAME", "who reads it over the share: [client NAME]; then below its directory"},
	{"for", "DURATION", "with --client: withdrawn after this time; default: the client's keep"},
	{"from-file", "FILE", "begin with this binlog file; default: the first archived"},
	{"generation", "DIGITS", "read only this one, by its first digits as list shows it"},
	{"until", "TIME", "end before the first transaction that is as late (UTC)"},
	{"until-position", "FILE:POSITION", "end with the last transaction that ends there"},
	{"reason", "TEXT", "goes into the ledger with the request"},
	{NULL, NULL, NULL},
};

const struct command command_restore = {
	.verb = "restore",
	.arguments = "SOURCE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "write the binlog files of a source, verified, below [export] path",
	.description =
		"Reads sealed segments, and says up to where they reach. Every byte is verified "
		"before the directory gets its name; a restore that fails leaves nothing. Exit "
		"status 6: it is whole, but the server itself has an event with a wrong CRC. "
		"Prints "
		"how to check the signed manifest and how to replay the files. A tar holds the "
		"binlog files in their order, then SHA256SUMS and the manifest with its key and "
		"its signature; while it is made, one binlog file more is on the disk. The "
		"request, its approval and its result are leaves of the ledger.",
	.reads = true,
	.options = options,
	.run = run,
};
