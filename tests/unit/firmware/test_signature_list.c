#include "unit/cmocka_prelude.h"

#include "base/endian.h"
#include "check/signature_list.h"

static const char x509_guid[] = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072";
static const char sha256_guid[] = "c1c41626-504c-4092-aca9-41f936934328";
static const char rsa_guid[] = "3c5766e8-269c-4e34-aa14-ed776e85b3b6";
static const char owner_guid[] = "fc095255-e09d-4916-bb8a-8995231e8aae";

struct count {
	size_t by_kind[SIGNATURE_OTHER + 1];
	size_t size; /* of the last one */
	const uint8_t *owner;
};

static int count_signature(void *context, const struct signature *signature, struct error *err)
{
	struct count *count = context;

	(void)err;
	count->by_kind[signature->kind]++;
	count->size = signature->size;
	count->owner = signature->owner;
	return 0;
}

static int stop(void *context, const struct signature *signature, struct error *err)
{
	(void)context;
	(void)signature;
	return error_set(err, ERROR_REFUSED, "seen enough");
}

/* A list of @count signatures of @data_size bytes behind a header; returns its size. */
static size_t put_list(uint8_t *bytes, const char *type, uint32_t header_size, uint32_t data_size,
		       uint32_t count)
{
	const uint32_t signature_size = GUID_SIZE + data_size;
	const uint32_t size = 28 + header_size + count * signature_size;
	struct error err;

	memset(bytes, 0xab, size);
	assert_ok(guid_parse(type, bytes, &err), &err);
	*(le32 *)(bytes + 16) = le32_put(size);
	*(le32 *)(bytes + 20) = le32_put(header_size);
	*(le32 *)(bytes + 24) = le32_put(signature_size);
	for (uint32_t i = 0; i < count; i++)
		assert_ok(
			guid_parse(owner_guid, bytes + 28 + header_size + i * signature_size, &err),
			&err);
	return size;
}

static void guids_come_back_from_their_text(void **state)
{
	uint8_t bytes[GUID_SIZE];
	char text[GUID_TEXT_SIZE];
	struct error err = {0};

	(void)state;
	assert_ok(guid_parse(owner_guid, bytes, &err), &err);
	assert_int_equal(bytes[0], 0x55); /* the first field is little-endian */
	assert_int_equal(bytes[15], 0xae);
	guid_format(bytes, text);
	assert_string_equal(text, owner_guid);
	assert_fails(guid_parse("fc095255", bytes, &err), &err, ERROR_DEFECT, "36 characters");
	assert_fails(guid_parse("FC095255-e09d-4916-bb8a-8995231e8aae", bytes, &err), &err,
		     ERROR_DEFECT, "lower-case");
	assert_fails(guid_parse("fc095255+e09d-4916-bb8a-8995231e8aae", bytes, &err), &err,
		     ERROR_DEFECT, "a dash is missing");
}

static void lists_of_all_kinds_are_walked(void **state)
{
	uint8_t bytes[4096];
	struct count count = {0};
	struct error err = {0};
	size_t size = put_list(bytes, x509_guid, 0, 700, 1);
	char owner[GUID_TEXT_SIZE];

	(void)state;
	size += put_list(bytes + size, sha256_guid, 0, 32, 5);
	size += put_list(bytes + size, rsa_guid, 8, 256, 2);
	size += put_list(bytes + size, sha256_guid, 0, 32, 0); /* an empty list is a list */
	assert_ok(signature_list_walk(bytes, size, count_signature, &count, &err), &err);
	assert_int_equal(count.by_kind[SIGNATURE_X509], 1);
	assert_int_equal(count.by_kind[SIGNATURE_SHA256], 5);
	assert_int_equal(count.by_kind[SIGNATURE_OTHER], 2);
	assert_int_equal(count.size, 256);
	guid_format(count.owner, owner);
	assert_string_equal(owner, owner_guid);
	assert_ok(signature_list_walk(bytes, 0, count_signature, &count, &err), &err);
	assert_fails(signature_list_walk(bytes, size, stop, NULL, &err), &err, ERROR_REFUSED,
		     "seen enough");
}

static void each_field_that_lies_is_found(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
		const char *words;
	} lies[] = {
		{16, 0, "says 0 bytes"},
		{16, 27, "says 27 bytes"},
		{16, 0xffffffff, "says 4294967295 bytes"},
		{16, 28 + 2 * 48 + 1, "says 125 bytes, 124 are there"},
		{20, 0xffffffff, "has a header of 4294967295 bytes"},
		{20, 1, "not a whole number of signatures"},
		{24, 0, "not a whole number of signatures of 0 bytes"},
		{24, 16, "signatures of 16 bytes"},
		{24, 47, "not a whole number of signatures of 47 bytes"},
		{24, 24, "SHA-256 hashes of 8 bytes"},
	};
	uint8_t bytes[256];
	struct count count;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		size_t size = put_list(bytes, sha256_guid, 0, 32, 2);

		*(le32 *)(bytes + lies[i].offset) = le32_put(lies[i].value);
		assert_fails(signature_list_walk(bytes, size, count_signature, &count, &err), &err,
			     ERROR_DEFECT, lies[i].words);
	}
}

static void no_prefix_is_taken_for_the_whole(void **state)
{
	uint8_t bytes[512];
	struct count count;
	struct error err = {0};
	size_t first = put_list(bytes, sha256_guid, 0, 32, 2);
	size_t size = first + put_list(bytes + first, sha256_guid, 0, 32, 1);

	(void)state;
	for (size_t cut = 1; cut < size; cut++) {
		if (cut == first)
			continue; /* one list is a whole variable */
		assert_int_equal(signature_list_walk(bytes, cut, count_signature, &count, &err),
				 ERROR_DEFECT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guids_come_back_from_their_text),
		cmocka_unit_test(lists_of_all_kinds_are_walked),
		cmocka_unit_test(each_field_that_lies_is_found),
		cmocka_unit_test(no_prefix_is_taken_for_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
