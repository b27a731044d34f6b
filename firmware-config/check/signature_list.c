#include "check/signature_list.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"

#define LIST_HEADER_SIZE  28
#define SHA256_SIZE	  32
#define CERTIFICATE_LEAST 64 /* no DER certificate is shorter */

static const struct {
	enum signature_kind kind;
	const char *guid;
} kinds[] = {
	{SIGNATURE_X509, "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"},
	{SIGNATURE_SHA256, "c1c41626-504c-4092-aca9-41f936934328"},
};

void guid_format(const uint8_t bytes[GUID_SIZE], char text[GUID_TEXT_SIZE])
{
	snprintf(text, GUID_TEXT_SIZE, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 get_le32(bytes), get_le16(bytes + 4), get_le16(bytes + 6), bytes[8], bytes[9],
		 bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]);
}

static unsigned digit_value(char digit)
{
	return (unsigned)(isdigit((unsigned char)digit) ? digit - '0' : digit - 'a' + 10);
}

int guid_parse(const char *text, uint8_t ret_bytes[GUID_SIZE], struct error *err)
{
	/* The byte that each pair of digits becomes: three little-endian fields, then as written.
	 */
	static const uint8_t place[GUID_SIZE] = {3, 2, 1,  0,  5,  4,  7,  6,
						 8, 9, 10, 11, 12, 13, 14, 15};
	uint8_t bytes[GUID_SIZE];
	size_t count = 0;

	if (strlen(text) != GUID_TEXT_SIZE - 1)
		return error_set(err, ERROR_DEFECT, "'%.40s' is not a GUID of 36 characters", text);
	for (size_t at = 0; at < GUID_TEXT_SIZE - 1;) {
		if (at == 8 || at == 13 || at == 18 || at == 23) {
			if (text[at++] != '-')
				return error_set(err, ERROR_DEFECT, "'%s': a dash is missing",
						 text);
			continue;
		}
		if (!strchr("0123456789abcdef", text[at]) ||
		    !strchr("0123456789abcdef", text[at + 1]))
			return error_set(err, ERROR_DEFECT, "'%s' is not lower-case hexadecimal",
					 text);
		bytes[place[count++]] =
			(uint8_t)(digit_value(text[at]) << 4 | digit_value(text[at + 1]));
		at += 2;
	}
	memcpy(ret_bytes, bytes, GUID_SIZE);
	return 0;
}

static enum signature_kind kind_of(const uint8_t type[GUID_SIZE])
{
	char text[GUID_TEXT_SIZE];

	guid_format(type, text);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(text, kinds[i].guid) == 0)
			return kinds[i].kind;
	}
	return SIGNATURE_OTHER;
}

/* The three sizes of a list, checked against what is left. */
struct list {
	uint32_t size, header_size, signature_size;
	enum signature_kind kind;
};

static int decode_list(const uint8_t *bytes, size_t left, size_t offset, struct list *ret_list,
		       struct error *err)
{
	struct list list;

	if (left < LIST_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "%zu bytes at offset %zu, a signature list begins with %d", left,
				 offset, LIST_HEADER_SIZE);
	list = (struct list){.kind = kind_of(bytes),
			     .size = get_le32(bytes + 16),
			     .header_size = get_le32(bytes + 20),
			     .signature_size = get_le32(bytes + 24)};
	if (list.size < LIST_HEADER_SIZE || list.size > left)
		return error_set(err, ERROR_DEFECT,
				 "the list at offset %zu says %u bytes, %zu are there", offset,
				 list.size, left);
	if (list.header_size > list.size - LIST_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "the list at offset %zu has a header of %u bytes in %u", offset,
				 list.header_size, list.size);
	if (list.signature_size <= GUID_SIZE ||
	    (list.size - LIST_HEADER_SIZE - list.header_size) % list.signature_size != 0)
		return error_set(err, ERROR_DEFECT,
				 "the list at offset %zu is not a whole number of signatures of "
				 "%u bytes",
				 offset, list.signature_size);
	if (list.kind == SIGNATURE_SHA256 && list.signature_size != GUID_SIZE + SHA256_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "the list at offset %zu has SHA-256 hashes of %u bytes", offset,
				 list.signature_size - GUID_SIZE);
	if (list.kind == SIGNATURE_X509 && list.signature_size < GUID_SIZE + CERTIFICATE_LEAST)
		return error_set(err, ERROR_DEFECT,
				 "the list at offset %zu has certificates of %u bytes", offset,
				 list.signature_size - GUID_SIZE);
	*ret_list = list;
	return 0;
}

static int walk_list(const uint8_t *bytes, size_t offset, const struct list *list, size_t *count,
		     signature_visitor visit, void *context, struct error *err)
{
	for (size_t at = LIST_HEADER_SIZE + list->header_size; at < list->size;
	     at += list->signature_size) {
		const struct signature signature = {.kind = list->kind,
						    .owner = bytes + at,
						    .data = bytes + at + GUID_SIZE,
						    .size = list->signature_size - GUID_SIZE,
						    .list_offset = offset};
		int r;

		if (++*count > SIGNATURE_COUNT_MAX)
			return error_set(err, ERROR_DEFECT, "more than %d signatures",
					 SIGNATURE_COUNT_MAX);
		r = visit(context, &signature, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int signature_list_walk(const uint8_t *bytes, size_t size, signature_visitor visit, void *context,
			struct error *err)
{
	size_t offset = 0, count = 0;

	while (offset < size) {
		struct list list = {0};
		int r = decode_list(bytes + offset, size - offset, offset, &list, err);

		if (r == 0)
			r = walk_list(bytes + offset, offset, &list, &count, visit, context, err);
		if (r < 0)
			return r;
		offset += list.size;
	}
	return 0;
}
