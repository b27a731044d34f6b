#include "unit/cmocka_prelude.h"

#include "base/endian.h"
#include "updater/portable_executable.h"

#define SIZE 1030

/* The smallest header that is one: PE at 128. */
static void make_image(uint8_t image[SIZE + 128])
{
	memset(image, 0xaa, SIZE + 128);
	memset(image, 0, 512);
	memcpy(image, "MZ", 2);
	put_le32(image + 0x3c, 128);
	memcpy(image + 128, "PE\0", 4);
	put_le16(image + 152, 0x20b);
	put_le32(image + 152 + 108, 16);
}

static void a_signature_stands_behind_the_image_and_the_header_says_where(void **state)
{
	uint8_t image[SIZE + 128];
	struct error err = {0};
	size_t size;

	(void)state;
	make_image(image);
	assert_ok(portable_executable_attach(image, SIZE, (const uint8_t *)"sign", 4, &size, &err),
		  &err);
	assert_int_equal(size, 1032 + 16);
	assert_int_equal(get_le32(image + 152 + 144), 1032);
	assert_int_equal(get_le32(image + 152 + 148), 16);
	assert_int_equal(image[SIZE], 0);
	assert_int_equal(get_le32(image + 1032), 16);
	assert_int_equal(get_le32(image + 1036), 0x00020200);
	assert_memory_equal(image + 1040, "sign\0\0\0\0", 8);
	assert_fails(
		portable_executable_attach(image, SIZE, (const uint8_t *)"sign", 4, &size, &err),
		&err, ERROR_DEFECT, "is signed already");
}

static void what_is_no_kernel_image_is_refused(void **state)
{
	uint8_t image[SIZE + 128];
	struct error err = {0};
	size_t size;
	static const struct {
		size_t at;
		uint8_t value;
		const char *words;
	} defects[] = {
		{0, 'm', "is no PE image"},	  {0x3c, 129, "has no PE header"},
		{0x3f, 0xff, "has no PE header"}, {0x3d, 4, "has no PE header"},
		{152, 0, "is not for 64 bits"},	  {152 + 108, 4, "is not for 64 bits"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
		make_image(image);
		image[defects[i].at] = defects[i].value;
		assert_fails(portable_executable_attach(image, SIZE, (const uint8_t *)"s", 1, &size,
							&err),
			     &err, ERROR_DEFECT, defects[i].words);
	}
	make_image(image);
	assert_fails(portable_executable_attach(image, 100, (const uint8_t *)"s", 1, &size, &err),
		     &err, ERROR_DEFECT, "is no PE image");
	assert_fails(portable_executable_attach(image, SIZE, (const uint8_t *)"s", 0, &size, &err),
		     &err, ERROR_DEFECT, "a signature of 0 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_stands_behind_the_image_and_the_header_says_where),
		cmocka_unit_test(what_is_no_kernel_image_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
