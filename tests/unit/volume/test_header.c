#include "unit/cmocka_prelude.h"

#include "unit/volume/segment_builder.h"

static void a_header_comes_back_as_it_was(void **state)
{
	struct segment_header header = builder_header(), copy;
	uint8_t bytes[SEGMENT_HEADER_SIZE], again[SEGMENT_HEADER_SIZE];
	struct error err = {0};

	(void)state;
	header.compatible_flags = 0x80000001u; /* unknown ones are carried */
	memset(header.source, 's', SOURCE_NAME_MAX);
	memset(header.binlog_file, 'f', BINLOG_NAME_MAX);
	assert_ok(segment_header_encode(&header, bytes, &err), &err);
	assert_ok(segment_header_decode(bytes, &copy, &err), &err);
	assert_string_equal(copy.source, header.source);
	assert_string_equal(copy.binlog_file, header.binlog_file);
	assert_int_equal(copy.start_position, BUILDER_START);
	assert_int_equal(copy.created_usec, header.created_usec);
	assert_memory_equal(copy.identity, header.identity, SEGMENT_IDENTITY_SIZE);
	assert_ok(segment_header_encode(&copy, again, &err), &err);
	assert_memory_equal(bytes, again, sizeof(bytes));
}

static void every_defect_has_its_sentence(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		int code;
		const char *words;
	} defects[] = {
		{0, 'X', ERROR_DEFECT, "magic bytes are missing"},
		{5, '\n', ERROR_DEFECT, "magic bytes are missing"},
		{8, 1, ERROR_REFUSED, "format version 1 is unknown"},
		{16, 4, ERROR_REFUSED, "incompatible flags 0x4 are unknown"},
		{20, 1, ERROR_DEFECT, "block size 4097 is not a power of two"},
		{21, 0x08, ERROR_DEFECT, "block size 2048 is not"},
		{22, 2, ERROR_DEFECT, "is not a power of two from 4096 to 65536"},
		{31, 0x80, ERROR_DEFECT, "is too large"},
		{88, 1, ERROR_DEFECT, "reserved bytes are not zero"},
		{160, 'X', ERROR_DEFECT, "segment header: source: "},
		{160, 0, ERROR_DEFECT, "bytes follow the end of the source's name"},
		{223, 'x', ERROR_DEFECT, "bytes follow the end of the source's name"},
		{224, '/', ERROR_DEFECT, "segment header: binlog file: "},
		{351, 'x', ERROR_DEFECT, "bytes follow the end of the binlog file's name"},
		{416, 1, ERROR_DEFECT, "reserved bytes are not zero"},
		{1023, 1, ERROR_DEFECT, "reserved bytes are not zero"},
	};
	struct segment_header header = builder_header();
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(defects); i++) {
		uint8_t bytes[SEGMENT_HEADER_SIZE];

		assert_ok(segment_header_encode(&header, bytes, &err), &err);
		assert_int_not_equal(bytes[defects[i].offset], defects[i].value);
		bytes[defects[i].offset] = defects[i].value;
		assert_fails(segment_header_decode(bytes, &(struct segment_header){0}, &err), &err,
			     defects[i].code, defects[i].words);
	}
}

static void what_would_not_be_read_is_not_written(void **state)
{
	struct segment_header header = builder_header();
	uint8_t bytes[SEGMENT_HEADER_SIZE];
	struct error err = {0};

	(void)state;
	header.block_size = 512;
	assert_fails(segment_header_encode(&header, bytes, &err), &err, ERROR_USAGE,
		     "block size 512");
	header = builder_header();
	snprintf(header.binlog_file, sizeof(header.binlog_file), "../x");
	assert_fails(segment_header_encode(&header, bytes, &err), &err, ERROR_USAGE,
		     "binlog file: ");
	header = builder_header();
	header.incompatible_flags = 1;
	assert_fails(segment_header_encode(&header, bytes, &err), &err, ERROR_REFUSED,
		     "incompatible flags 0x1");
}

/* The expected key was computed by another implementation of HKDF, from FORMAT.md. */
static void the_key_is_the_one_of_the_document(void **state)
{
	struct builder builder;
	char text[HEX_SIZE(SEGMENT_KEY_SIZE)];
	struct secret other = {0};
	struct error err = {0};

	(void)state;
	builder_init(&builder);
	hex_encode(builder.key.bytes, builder.key.size, text);
	assert_string_equal(text,
			    "8dd42dcd8302ae575257afafb4da2abf3974eefa9b473b4c09e17810df824a52");
	builder.header_bytes[40] ^= 1; /* any other header gives any other key */
	assert_ok(segment_key_derive(&builder.period_key, builder.header_bytes, &other, &err),
		  &err);
	assert_memory_not_equal(other.bytes, builder.key.bytes, SEGMENT_KEY_SIZE);
	secret_release(&other);
	builder_release(&builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_comes_back_as_it_was),
		cmocka_unit_test(every_defect_has_its_sentence),
		cmocka_unit_test(what_would_not_be_read_is_not_written),
		cmocka_unit_test(the_key_is_the_one_of_the_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
