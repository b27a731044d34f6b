/*
 * Any bytes as a sealed message: refused with a sentence, or opened. What the owner has not signed
 * gets no further than the signature, so the bytes are also taken as an envelope that he has.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "crypto/cms.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keys of this fuzzer alone; its corpus is signed and encrypted with them. */
static const char owner_certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBYzCCAQqgAwIBAgIBATAKBggqhkjOPQQDAjAQMQ4wDAYDVQQDDAVvd25lcjAg\n"
	"Fw0yNjExMjYyMTU2MzJaGA8yMTI2MTEwMjIxNTYzMlowEDEOMAwGA1UEAwwFb3du\n"
	"ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATALg3XkrIG8d8HpwB8P9FvkjI9\n"
	"4+kNIzZ5zQrKmUsYHsuJI30ZWVRMnR5LBesVNHIJ6N19rNxf1Lpc4McRkUEHo1Mw\n"
	"UTAdBgNVHQ4EFgQUZ4tqoNwPjNRpT8be5hpK3ENm9mowHwYDVR0jBBgwFoAUZ4tq\n"
	"oNwPjNRpT8be5hpK3ENm9mowDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNH\n"
	"ADBEAiAi55vxZXJzX4XixRjVRPCmCpn3D6FERI+fLhwkAjwuQwIgCvuBjaFhvMLk\n"
	"R79O+w/I/ZtV6WGoyHJiILqEyz8Ss4g=\n"
	"-----END CERTIFICATE-----\n";
static const char owner_key[] = "-----BEGIN PRIVATE KEY-----\n"
				"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcz9RsrPZfKTxMAaF\n"
				"LxSn48H/YDUJlJOsZkIngIFwKFOhRANCAATALg3XkrIG8d8HpwB8P9FvkjI94+kN\n"
				"IzZ5zQrKmUsYHsuJI30ZWVRMnR5LBesVNHIJ6N19rNxf1Lpc4McRkUEH\n"
				"-----END PRIVATE KEY-----\n";
static const char vault_key[] = "-----BEGIN PRIVATE KEY-----\n"
				"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCHI3ClD1BgjNbV6O\n"
				"3Q1o6x2C4nQuJHxMFeXKVOPCZ+yhRANCAATjQyyYAxNaSDvAdl6VYZe3bIDpiRRQ\n"
				"PZ2d+576czwiTIqCX1rDpwc3qdcxB2IAzp3uNRu2QvwGOygjGLF4ydgX\n"
				"-----END PRIVATE KEY-----\n";

static struct cms_opener *opener;
static X509 *signer;
static EVP_PKEY *signer_key;

static BIO *reader_of(const void *bytes, size_t size)
{
	BIO *stream = BIO_new_mem_buf(bytes, (int)size);

	ASSERT(stream);
	return stream;
}

/* cms_opener_new() takes paths. */
static void write_file(char *path, const char *text)
{
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	ASSERT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char certificate_path[] = "/tmp/fuzz-cms-XXXXXX", key_path[] = "/tmp/fuzz-cms-XXXXXX";
	BIO *certificate = reader_of(owner_certificate, sizeof(owner_certificate) - 1);
	BIO *key = reader_of(owner_key, sizeof(owner_key) - 1);
	struct error err;

	(void)argc;
	(void)argv;
	write_file(certificate_path, owner_certificate);
	write_file(key_path, vault_key);
	ASSERT(cms_opener_new(certificate_path, key_path, &opener, &err) == 0);
	unlink(certificate_path);
	unlink(key_path);
	signer = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
	signer_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	ASSERT(signer && signer_key);
	BIO_free(certificate);
	BIO_free(key);
	return 0;
}

static void open_message(const uint8_t *message, size_t size)
{
	uint8_t *content = NULL;
	size_t content_size = 0;
	struct error err = {0};

	if (cms_open(opener, message, size, &content, &content_size, &err) == 0)
		ASSERT(content && content_size < size &&
		       cms_check(opener, message, size, &err) == 0);
	else
		ASSERT(!content && err.message[0] &&
		       (err.code == ERROR_DEFECT || err.code == ERROR_REFUSED));
	free(content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
	BIO *in = reader_of(data, size);
	unsigned char *message = NULL;
	int message_size;

	open_message(data, size);
	ASSERT(CMS_set1_eContentType(cms, OBJ_nid2obj(NID_id_smime_ct_authEnvelopedData)) == 1);
	ASSERT(CMS_add1_signer(cms, signer, signer_key, EVP_sha256(),
			       CMS_BINARY | CMS_NOCERTS | CMS_NOSMIMECAP));
	ASSERT(CMS_final(cms, in, NULL, CMS_BINARY) == 1);
	message_size = i2d_CMS_ContentInfo(cms, &message);
	ASSERT(message_size > 0);
	open_message(message, (size_t)message_size);
	OPENSSL_free(message);
	BIO_free(in);
	CMS_ContentInfo_free(cms);
	return 0;
}
