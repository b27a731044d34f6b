#include "binlog/gtid_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/hex.h"

#define UUID_TEXT_LENGTH (HEX_UUID_SIZE - 1)
#define ITEM_SIZE	 (GTID_INTERVAL_TEXT_SIZE + 1) /* and a comma */
#define CUT		 ",..."
#define QUOTED_MAX	 40 /* characters of a text that an error shows */

static const uint8_t uuid_part_size[] = {4, 2, 2, 2, 6};

/* "1-5", or "1" */
static void format_numbers(char *text, size_t size, uint64_t first, uint64_t last)
{
	if (first == last)
		snprintf(text, size, "%" PRIu64, first);
	else
		snprintf(text, size, "%" PRIu64 "-%" PRIu64, first, last);
}

int gtid_interval_format(const struct gtid_interval *interval, char *text, struct error *err)
{
	char uuid[HEX_UUID_SIZE], numbers[48];
	struct gtid_group_parts parts;
	int r = gtid_group_read(&interval->group, &parts, err);

	if (r < 0)
		return r;
	if (parts.flavour == FLAVOUR_MARIADB) {
		snprintf(text, GTID_TEXT_SIZE, "%u-%u-%" PRIu64, parts.domain, parts.server_id,
			 interval->last);
		return 0;
	}
	hex_encode_uuid(parts.uuid, uuid);
	format_numbers(numbers, sizeof(numbers), interval->first, interval->last);
	snprintf(text, GTID_INTERVAL_TEXT_SIZE, "%s%s%s:%s", uuid, parts.tag[0] ? ":" : "",
		 parts.tag, numbers);
	return 0;
}

int gtid_format(const struct gtid *gtid, char *text, struct error *err)
{
	struct gtid_interval interval = {
		.group = gtid->group, .first = gtid->sequence, .last = gtid->sequence};
	char formatted[GTID_INTERVAL_TEXT_SIZE];
	int r = gtid_interval_format(&interval, formatted, err);

	if (r < 0)
		return r;
	/* A number alone is never longer. */
	ASSERT(strlen(formatted) < GTID_TEXT_SIZE);
	memcpy(text, formatted, strlen(formatted) + 1);
	return 0;
}

/* --- reading --- */

void gtid_text_init(struct gtid_text *text, enum flavour flavour, const char *string)
{
	*text = (struct gtid_text){.flavour = flavour, .rest = string};
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* An error that shows the text from @at on, without what would not print. */
static int malformed(const char *at, const char *expected, struct error *err)
{
	char quoted[QUOTED_MAX + 1];
	size_t length = 0;

	while (length < QUOTED_MAX && at[length]) {
		quoted[length] = at[length] >= ' ' && at[length] <= '~' ? at[length] : '?';
		length++;
	}
	quoted[length] = '\0';
	return error_set(err, ERROR_DEFECT, "GTID set: %s expected at '%s'%s", expected, quoted,
			 at[length] ? "..." : "");
}

/* Decimal digits of a number up to @max, after blanks; NULL if there is no such number. */
static const char *read_number(const char *at, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	at = skip_blanks(at);
	if (!is_digit(*at))
		return NULL;
	for (; is_digit(*at); at++)
		if (checked_mul(number, 10, &number) ||
		    checked_add(number, (uint64_t)(*at - '0'), &number) || number > max)
			return NULL;
	*ret_number = number;
	return at;
}

/* 0-1-100 */
static int next_mariadb(struct gtid_text *text, struct gtid_interval *interval, struct error *err)
{
	uint64_t domain = 0, server_id = 0;
	const char *at = read_number(text->rest, UINT32_MAX, &domain);

	if (at && *at == '-')
		at = read_number(at + 1, UINT32_MAX, &server_id);
	else
		at = NULL;
	if (at && *at == '-')
		at = read_number(at + 1, UINT64_MAX, &interval->last);
	else
		at = NULL;
	if (!at)
		return malformed(text->rest, "DOMAIN-SERVER-NUMBER", err);
	at = skip_blanks(at);
	if (*at && *at != ',')
		return malformed(at, "a comma or the end", err);
	gtid_group_mariadb(&interval->group, (uint32_t)domain, (uint32_t)server_id);
	interval->first = 1;
	text->rest = at;
	return 0;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* With its dashes, the one form that MySQL reads in a set; NULL for anything else. */
static const char *read_uuid(const char *at, uint8_t uuid[GTID_UUID_SIZE])
{
	for (size_t i = 0; i < ARRAY_LENGTH(uuid_part_size); i++) {
		if (i > 0 && *at++ != '-')
			return NULL;
		for (size_t j = 0; j < uuid_part_size[i]; j++) {
			int high = hex_digit(at[0]);
			int low = high < 0 ? -1 : hex_digit(at[1]);

			if (low < 0)
				return NULL;
			*uuid++ = (uint8_t)(high << 4 | low);
			at += 2;
		}
	}
	return at;
}

static bool begins_tag(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A tag and the blanks behind it: the group of the intervals to come. */
static int read_tag(struct gtid_text *text, const char *at, struct error *err)
{
	uint8_t uuid[GTID_UUID_SIZE], tag[GTID_TAG_MAX];
	const char *begin = at;
	size_t size = 0;

	for (; begins_tag(*at) || is_digit(*at); at++) {
		if (size == sizeof(tag))
			return malformed(begin, "a tag of at most 32 characters", err);
		tag[size++] = (uint8_t)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
	}
	memcpy(uuid, text->group.bytes + 1, sizeof(uuid));
	text->rest = skip_blanks(at);
	return gtid_group_tagged(&text->group, uuid, tag, size, err);
}

/* "5" or "1-5"; its end may lie before its beginning: MySQL reads nothing from "5-1". */
static int read_interval(struct gtid_text *text, const char *at, struct gtid_interval *interval,
			 struct error *err)
{
	const char *begin = skip_blanks(at);

	at = *begin == '0' ? NULL : read_number(begin, GTID_MYSQL_LAST, &interval->first);
	if (!at)
		return malformed(begin, "a number from 1 to 9223372036854775806, or a tag", err);
	interval->last = interval->first;
	at = skip_blanks(at);
	if (*at == '-') {
		begin = skip_blanks(at + 1);
		at = *begin == '0' && is_digit(begin[1])
			     ? NULL
			     : read_number(begin, GTID_MYSQL_LAST, &interval->last);
		if (!at)
			return malformed(begin, "a number up to 9223372036854775806", err);
		at = skip_blanks(at);
	}
	interval->group = text->group;
	text->rest = at;
	return 0;
}

/* One step: a UUID, ":tag", or ":1-5". Returns whether it is an interval. */
static int step_mysql(struct gtid_text *text, struct gtid_interval *interval, struct error *err)
{
	uint8_t uuid[GTID_UUID_SIZE];
	const char *at;
	int r;

	if (text->group.size == 0) {
		at = read_uuid(text->rest, uuid);
		if (!at)
			return malformed(text->rest, "a UUID", err);
		gtid_group_mysql(&text->group, uuid);
		text->rest = skip_blanks(at);
		return 0;
	}
	if (*text->rest != ':')
		return malformed(text->rest, "a colon, a comma or the end", err);
	at = skip_blanks(text->rest + 1);
	if (begins_tag(*at))
		return read_tag(text, at, err);
	r = read_interval(text, at, interval, err);
	return r < 0 ? r : interval->first <= interval->last;
}

/* Commas, of which there may be any number; behind one a new group begins. */
static void skip_commas(struct gtid_text *text)
{
	text->rest = skip_blanks(text->rest);
	while (*text->rest == ',') {
		text->rest = skip_blanks(text->rest + 1);
		text->group.size = 0;
	}
}

int gtid_text_next(struct gtid_text *text, struct gtid_interval *ret_interval, struct error *err)
{
	struct gtid_interval interval = {0};
	int r;

	for (;;) {
		skip_commas(text);
		if (!*text->rest)
			return 0;
		if (text->flavour == FLAVOUR_MARIADB) {
			r = next_mariadb(text, &interval, err);
			if (r == 0)
				r = interval.last > 0; /* 0-1-0: nothing yet */
		} else {
			r = step_mysql(text, &interval, err);
		}
		if (r < 0)
			return r;
		if (r > 0)
			break;
	}
	*ret_interval = interval;
	return 1;
}

/* --- writing --- */

void gtid_text_writer_init(struct gtid_text_writer *writer, char *text, size_t size)
{
	ASSERT(size >= GTID_TEXT_WRITER_SIZE_MIN);
	*writer = (struct gtid_text_writer){.text = text, .size = size};
	text[0] = '\0';
}

/* Cut behind the last item that leaves room for it: more is to come there. */
static void cut(struct gtid_text_writer *writer)
{
	const char *mark = writer->kept > 0 ? CUT : &CUT[1];

	memcpy(writer->text + writer->kept, mark, strlen(mark) + 1);
	writer->length = writer->kept + strlen(mark);
	writer->is_cut = true;
}

static void append(struct gtid_text_writer *writer, const char *item)
{
	size_t length = strlen(item);

	if (length >= writer->size - writer->length) {
		cut(writer);
		return;
	}
	memcpy(writer->text + writer->length, item, length + 1);
	writer->length += length;
	if (writer->size - writer->length >= sizeof(CUT))
		writer->kept = writer->length;
}

/* A GTID of its own, or the same domain and server further on: in the place of the one before. */
static void append_mariadb(struct gtid_text_writer *writer, const char *text, bool is_same)
{
	char item[ITEM_SIZE];

	if (is_same) {
		writer->length = writer->item_offset;
		writer->kept = MIN(writer->kept, writer->length);
	}
	writer->item_offset = writer->length;
	snprintf(item, sizeof(item), "%s%s", writer->length > 0 ? "," : "", text);
	append(writer, item);
}

/* Whether @parts is another tag of the server whose group was written last. */
static bool continues_uuid(const struct gtid_text_writer *writer,
			   const struct gtid_group_parts *parts)
{
	struct gtid_group_parts previous;
	struct error ignored;

	return writer->group.size > 0 && parts->tag[0] &&
	       gtid_group_read(&writer->group, &previous, &ignored) == 0 &&
	       previous.flavour == FLAVOUR_MYSQL &&
	       memcmp(previous.uuid, parts->uuid, sizeof(previous.uuid)) == 0;
}

int gtid_text_writer_add(struct gtid_text_writer *writer, const struct gtid_interval *interval,
			 struct error *err)
{
	bool is_same = gtid_group_equal(&writer->group, &interval->group);
	char text[GTID_INTERVAL_TEXT_SIZE], item[ITEM_SIZE];
	struct gtid_group_parts parts;
	int r = gtid_group_read(&interval->group, &parts, err);

	if (r == 0)
		r = gtid_interval_format(interval, text, err);
	if (r < 0 || writer->is_cut)
		return r;
	if (parts.flavour == FLAVOUR_MARIADB) {
		append_mariadb(writer, text, is_same);
	} else {
		const char *numbers = strrchr(text, ':');

		if (is_same)
			snprintf(item, sizeof(item), "%s", numbers);
		else if (continues_uuid(writer, &parts))
			snprintf(item, sizeof(item), ":%s%s", parts.tag, numbers);
		else
			snprintf(item, sizeof(item), "%s%s", writer->length > 0 ? "," : "", text);
		append(writer, item);
	}
	writer->group = interval->group;
	return 0;
}
