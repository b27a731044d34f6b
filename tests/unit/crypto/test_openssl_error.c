#include "unit/cmocka_prelude.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/openssl_error.h"

static void the_queue_becomes_one_sentence_and_is_empty_after(void **state)
{
	struct error err = {0};

	(void)state;
	assert_null(EVP_MD_fetch(NULL, "NO-SUCH-HASH", NULL));
	assert_int_equal(openssl_error(&err, ERROR_FAILED, "looking for %d", 7), ERROR_FAILED);
	assert_int_equal(err.code, ERROR_FAILED);
	assert_non_null(strstr(err.message, "looking for 7: unsupported ("));
	assert_non_null(strstr(err.message, "NO-SUCH-HASH"));
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(openssl_error(&err, ERROR_DEFECT, "nothing queued"), ERROR_DEFECT);
	assert_string_equal(err.message, "nothing queued");
}

static void a_long_queue_is_cut_to_the_message(void **state)
{
	struct error err;

	(void)state;
	for (int i = 0; i < 15; i++) {
		ERR_new();
		ERR_set_error(ERR_LIB_USER, 1, "%0200d", i);
	}
	memset(&err, 'x', sizeof(err));
	openssl_error(&err, ERROR_FAILED, "many");
	assert_int_equal(strnlen(err.message, sizeof(err.message)), sizeof(err.message) - 1);
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_becomes_one_sentence_and_is_empty_after),
		cmocka_unit_test(a_long_queue_is_cut_to_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
