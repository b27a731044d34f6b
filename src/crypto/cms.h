/*
 * What only one may have written and only one can read: CMS (RFC 5652) in DER, of one fixed shape.
 *
 *	SignedData			one signer, SHA-256, signed attributes, no certificates
 *	  AuthEnvelopedData (RFC 5083)	AES-256-GCM; one recipient: RSA-OAEP (SHA-256), or ECDH
 *	    the content
 *
 * Signed outside, encrypted inside: what the owner has not signed reaches neither the vault's key
 * nor the code that decrypts, which has had its own defects (CVE-2025-15467: a nonce that was too
 * long). The content says whom it is for, since anybody can pass a signed envelope on.
 *
 * Who signed is a question of the key alone: the owner's certificate is given by whoever opens, not
 * by the message, and is the only one that counts. So there is no chain, no revocation and no
 * signing time, and that it has expired is no reason to refuse: the vault's clock may be wrong, and
 * a vault that nobody can configure any more would be worse. Another owner: give it another file.
 *
 * Keys are those of crypto/public_key.h: RSA of 3072 bits and more, P-256, P-384.
 *
 * Owns: keys and certificates, as the library has them; its memory is wiped when freed.
 * Threads: one per object.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CMS_SIZE_MAX (1u << 20) /* of a message */

/* Paths of PEM files; of each the first key or certificate. A key with a passphrase asks for it on
 * the terminal. ERROR_USAGE where one is not what it must be, or everybody can read the key. */
struct cms_sealing {
	const char *owner_key, *owner_certificate;
	const char *recipient; /* the certificate of the vault's key */
};

/* @ret_message is the caller's, to be freed. ERROR_USAGE also if the message would be too long. */
int cms_seal(const struct cms_sealing *sealing, const void *content, size_t size,
	     uint8_t **ret_message, size_t *ret_size, struct error *err) MUST_CHECK;

struct cms_opener;

/* @key_path may be NULL: then signatures are checked and nothing can be opened. */
int cms_opener_new(const char *owner_path, const char *key_path, struct cms_opener **ret_opener,
		   struct error *err) MUST_CHECK;
void cms_opener_free(struct cms_opener *opener);
DEFINE_CLEANUP(cms_opener_free, struct cms_opener *);

/* Is it whole, of this shape, and signed by the owner's key? ERROR_DEFECT if it is no such message,
 * ERROR_REFUSED if another has signed it or it was changed. */
int cms_check(const struct cms_opener *opener, const void *message, size_t size,
	      struct error *err) MUST_CHECK;

/* The same, and the content: the caller wipes and frees it. ERROR_REFUSED if it was encrypted for
 * another key. */
int cms_open(const struct cms_opener *opener, const void *message, size_t size,
	     uint8_t **ret_content, size_t *ret_size, struct error *err) MUST_CHECK;
