/* Whatever decodes as a key can be named, used to wrap or to verify, and freed. */
#include <stdint.h>

#include "crypto/public_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct public_key *key = NULL;
	uint8_t wrap[WRAP_SIZE_MAX];
	struct hash fingerprint;
	struct error err;
	int r;

	if (public_key_decode(data, size, &key, &err) < 0)
		return 0;
	public_key_fingerprint(key, &fingerprint);
	r = public_key_wrap(key, "period key", 10, wrap, &err);
	ASSERT(r < 0 ? public_key_kind(key) == PUBLIC_KEY_EC || err.code == ERROR_FAILED
		     : public_key_kind(key) == PUBLIC_KEY_RSA);
	r = public_key_verify(key, data, size, data, size < 100 ? size : 100, &err);
	ASSERT(r < 0);
	public_key_free(key);
	return 0;
}
