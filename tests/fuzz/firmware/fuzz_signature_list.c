/* Signature lists as a firmware or an attacker wrote them: walked within their bytes, and every
 * certificate in them read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check/key_certificate.h"
#include "check/signature_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *context, const struct signature *signature, struct error *err)
{
	const uint8_t *const *bounds = context;
	struct key_certificate key;
	char text[GUID_TEXT_SIZE];
	uint8_t back[GUID_SIZE];

	ASSERT(signature->owner >= bounds[0] && signature->data == signature->owner + GUID_SIZE);
	ASSERT(signature->size > 0 && signature->size <= (size_t)(bounds[1] - signature->data));
	guid_format(signature->owner, text);
	ASSERT(guid_parse(text, back, err) == 0 && memcmp(back, signature->owner, GUID_SIZE) == 0);
	if (signature->kind == SIGNATURE_X509 &&
	    key_certificate_read(signature->data, signature->size, &key, err) == 0)
		ASSERT(strlen(key.subject) < KEY_NAME_SIZE);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *bounds[] = {data, data + size};
	struct error err;

	if (signature_list_walk(data, size, visit, bounds, &err) < 0)
		ASSERT(err.code == ERROR_DEFECT && *err.message);
	return 0;
}
