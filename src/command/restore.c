#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "command/commands.h"
#include "command/request.h"
#include "command/until.h"
#include "protocol/manifest.h"

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

static int make_request(struct command_context *context, json_t *request, struct error *err)
{
	const char *from_file = command_value(context, "from-file");
	const char *reason = command_value(context, "reason");
	const char *to = command_value(context, "to");

	if (!to)
		return error_set(err, ERROR_USAGE,
				 "--to NAME is missing: the directory below [export] path that is "
				 "to be made (or the file NAME.tar, with --as tar)");
	if (name_check_export(to, err) < 0)
		return error_prefix(err, "--to '%.80s'", to);
	if (put_form(context, request, err) < 0)
		return err->code;
	json_put_string(request, "verb", "restore");
	json_put_string(request, "source", context->arguments[0]);
	json_put_string(request, "to", to);
	if (from_file)
		json_put_string(request, "from_file", from_file);
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

/* All files in one call: temporary tables and LOAD DATA may reach from one file into the next. */
static void print_replay(const char *directory, const json_t *files)
{
	const json_t *file;
	size_t i;

	print_command("replay", directory);
	fputs("mariadb-binlog", stdout);
	json_array_foreach(files, i, file)
	{
		putchar(' ');
		print_quoted(request_text(file, "name"));
	}
	/* Without it the client stops at NUL bytes and changes line ends. */
	puts(") | mariadb --binary-mode");
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
	print_replay(directory, files);
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
	{"from-file", "FILE", "begin with this binlog file; default: the first archived"},
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
