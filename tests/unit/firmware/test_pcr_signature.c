#include "unit/cmocka_prelude.h"

#include "base/hex.h"
#include "check/pcr_signature.h"

/* Computed by hand with sha256sum over the bytes that TPM 2.0 part 3, 23.7 names, for PCR 11 of
 * zeros: 32 zeros, 0000017f, 00000001 000b 03 000800, SHA-256 of the register. */
static void the_policy_digest_is_the_standards(void **state)
{
	static const uint8_t pcr11[PCR_SIZE];
	uint8_t digest[PCR_SIZE];
	char text[HEX_SIZE(PCR_SIZE)];

	(void)state;
	pcr_policy_digest(pcr11, digest);
	hex_encode(digest, sizeof(digest), text);
	assert_string_equal(text,
			    "fd32fa22c52cfc8e1a0c29eb38519f87084cab0b04b0d8f020a4d38b2f4e223e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_policy_digest_is_the_standards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
