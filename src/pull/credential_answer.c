#include "pull/credential_answer.h"

#include <stdbool.h>
#include <string.h>

#include "base/secret.h"
#include "base/units.h"

#define KEY_SIZE  16
#define TIME_SIZE 40

struct reader {
	const char *text;
	size_t size, at;
	struct error *err;
};

static int refuse(struct reader *reader, const char *what)
{
	return error_set(reader->err, ERROR_DEFECT, "%s at byte %zu of its output", what,
			 reader->at + 1);
}

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->size && strchr(" \t\r\n", reader->text[reader->at]) &&
	       reader->text[reader->at] != '\0')
		reader->at++;
}

/* Is @c next, blanks aside? Then it is behind us. */
static bool take(struct reader *reader, char c)
{
	skip_blanks(reader);
	if (reader->at == reader->size || reader->text[reader->at] != c)
		return false;
	reader->at++;
	return true;
}

/* Four hexadecimal digits; negative if they are not. */
static int32_t take_hex(struct reader *reader)
{
	int32_t value = 0;

	if (reader->size - reader->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = reader->text[reader->at++];

		value <<= 4;
		if (c >= '0' && c <= '9')
			value |= c - '0';
		else if (c >= 'a' && c <= 'f')
			value |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value |= c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

/* What follows "\u": a code point, of one or of a pair of surrogates. Negative: none. */
static int32_t take_code_point(struct reader *reader)
{
	int32_t high = take_hex(reader);
	int32_t low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || reader->size - reader->at < 2 || reader->text[reader->at] != '\\' ||
	    reader->text[reader->at + 1] != 'u')
		return -1;
	reader->at += 2;
	low = take_hex(reader);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* UTF-8 of a code point. Returns its length. */
static size_t encode(int32_t point, char bytes[static 4])
{
	size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const uint8_t marks[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

	for (size_t i = length - 1; i > 0; i--) {
		bytes[i] = (char)(0x80 | (point & 0x3f));
		point >>= 6;
	}
	bytes[0] = (char)(marks[length] | point);
	return length;
}

/* What follows a backslash, as bytes. Returns their number, or the error. */
static int take_escape(struct reader *reader, char bytes[static 4])
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *name;
	int32_t point;

	if (reader->at == reader->size)
		return refuse(reader, "a text has no end");
	if (reader->text[reader->at] == 'u') {
		reader->at++;
		point = take_code_point(reader);
		/* A password ends at a NUL for everybody who uses it. */
		if (point <= 0)
			return refuse(reader, "an escape that cannot be meant ends");
		return (int)encode(point, bytes);
	}
	name = reader->text[reader->at] ? strchr(names, reader->text[reader->at]) : NULL;
	if (!name)
		return refuse(reader, "an escape that cannot be meant ends");
	reader->at++;
	bytes[0] = meanings[name - names];
	return 1;
}

/* A JSON text into @value, which has @value_size bytes. */
static int take_text(struct reader *reader, char *value, size_t value_size)
{
	size_t used = 0;
	char bytes[4];
	int length;

	if (!take(reader, '"'))
		return refuse(reader, "a text in quotes is missing");
	for (;;) {
		if (reader->at == reader->size)
			return refuse(reader, "a text has no end");
		bytes[0] = reader->text[reader->at++];
		length = 1;
		if (bytes[0] == '"')
			break;
		if ((unsigned char)bytes[0] < 0x20)
			return refuse(reader, "a control character stands");
		if (bytes[0] == '\\')
			length = take_escape(reader, bytes);
		if (length < 0)
			return length;
		if (value_size - used <= (size_t)length)
			return refuse(reader, "a text is too long");
		memcpy(value + used, bytes, (size_t)length);
		used += (size_t)length;
	}
	secret_wipe(bytes, sizeof(bytes));
	value[used] = '\0';
	return 0;
}

static int take_expires(struct reader *reader, uint64_t *ret_usec)
{
	char text[TIME_SIZE];

	if (take_text(reader, text, sizeof(text)) < 0)
		return reader->err->code;
	if (time_parse(text, ret_usec, reader->err) < 0 || *ret_usec == 0) {
		/* Its own sentence would repeat the text: who knows what stands there. */
		return refuse(reader, "no time such as \"2026-11-26T17:00:00Z\" ends");
	}
	return 0;
}

static int take_field(struct reader *reader, struct credential_answer *answer)
{
	char key[KEY_SIZE];

	if (take_text(reader, key, sizeof(key)) < 0)
		return reader->err->code;
	if (!take(reader, ':'))
		return refuse(reader, "a ':' is missing");
	if (strcmp(key, "user") == 0 && answer->user[0] == '\0')
		return take_text(reader, answer->user, sizeof(answer->user));
	if (strcmp(key, "password") == 0 && answer->password[0] == '\0')
		return take_text(reader, answer->password, sizeof(answer->password));
	if (strcmp(key, "expires") == 0 && answer->expires_usec == 0)
		return take_expires(reader, &answer->expires_usec);
	return refuse(reader, "a key other than user, password and expires, or one of them again, "
			      "ends");
}

static int take_object(struct reader *reader, struct credential_answer *answer)
{
	if (!take(reader, '{'))
		return refuse(reader, "the '{' of a JSON object is missing");
	do {
		if (take_field(reader, answer) < 0)
			return reader->err->code;
	} while (take(reader, ','));
	if (!take(reader, '}'))
		return refuse(reader, "a ',' or the '}' of the object is missing");
	skip_blanks(reader);
	if (reader->at < reader->size)
		return refuse(reader, "more stands behind the object,");
	if (answer->password[0] == '\0')
		return error_set(reader->err, ERROR_DEFECT, "its output has no \"password\"");
	return 0;
}

int credential_answer_decode(const char *text, size_t size, struct credential_answer *ret_answer,
			     struct error *err)
{
	struct reader reader = {.text = text, .size = size, .err = err};
	int r;

	memset(ret_answer, 0, sizeof(*ret_answer));
	r = take_object(&reader, ret_answer);
	if (r < 0)
		secret_wipe(ret_answer, sizeof(*ret_answer));
	return r;
}
