/* Here, and not in base/: it compares with OpenSSL. */
#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/base64.h"

static void known_answers_of_rfc_4648(void **state)
{
	static const char *const known[] = {"",		"Zg==",	    "Zm8=",    "Zm9v",
					    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	struct error err = {0};
	char text[BASE64_SIZE(6)];
	char bytes[6];

	(void)state;
	for (size_t size = 0; size <= 6; size++) {
		base64_encode("foobar", size, text);
		assert_string_equal(text, known[size]);
		assert_int_equal(base64_decode(text, strlen(text), bytes, sizeof(bytes), &err),
				 size);
		assert_memory_equal(bytes, "foobar", size);
	}
}

static void random_bytes_come_back_and_agree_with_openssl(void **state)
{
	struct error err = {0};
	unsigned seed = 3;

	(void)state;
	for (size_t size = 0; size < 200; size++) {
		uint8_t bytes[200] = {0};
		uint8_t back[200];
		char text[BASE64_SIZE(200)];
		unsigned char theirs[BASE64_SIZE(200)];

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		base64_encode(bytes, size, text);
		assert_int_equal(strlen(text) + 1, size ? BASE64_SIZE(size) : 1);
		EVP_EncodeBlock(theirs, bytes, (int)size);
		assert_string_equal(text, (char *)theirs);
		assert_int_equal(base64_decode(text, strlen(text), back, size, &err), size);
		assert_memory_equal(back, bytes, size);
	}
}

static void everything_but_the_one_form_is_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"Zg", "2 characters, not a multiple of 4"},
		{"Zg=", "3 characters"},
		{"Zh==", "last bits are not zero"},
		{"Zm9=", "last bits are not zero"},
		{"Z===", "byte 0x3d at 1 is not base64"},
		{"====", "is not base64"},
		{"=m9v", "byte 0x3d at 0"},
		{"Zm=v", "byte 0x3d at 2"},
		{"Zg==Zg==", "byte 0x3d at 2"},
		{"Zm9\n", "byte 0x0a at 3"},
		{" m9v", "byte 0x20 at 0"},
		{"Zm-_", "byte 0x2d at 2"},
		{"Zm\xc3\xa4", "byte 0xc3 at 2"},
		{"AAAAAAAAAAAA", "base64 of 9 bytes where at most 6 belong"},
	};
	uint8_t bytes[6];
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(
			base64_decode(bad[i].text, strlen(bad[i].text), bytes, sizeof(bytes), &err),
			&err, ERROR_DEFECT, bad[i].words);
	assert_fails(base64_decode("Zm\0v", 4, bytes, sizeof(bytes), &err), &err, ERROR_DEFECT,
		     "byte 0x00 at 2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_of_rfc_4648),
		cmocka_unit_test(random_bytes_come_back_and_agree_with_openssl),
		cmocka_unit_test(everything_but_the_one_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
