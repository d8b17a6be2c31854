// Command sigstack-services runs Fulcio or the timestamp authority on one loopback port:
//
//	sigstack-services fulcio PORT CONFIG CHAIN KEY CT_URL CT_PUBLIC_KEY
//	sigstack-services tsa PORT CHAIN KEY
//
// It holds no logic of its own: it serves what the released modules export. Their own main
// packages also open a port for metrics on every interface, and Fulcio's looks a name up in the
// DNS to call itself; neither has a flag against that.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	ctclient "github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/sigstore/fulcio/pkg/ca/fileca"
	"github.com/sigstore/fulcio/pkg/config"
	"github.com/sigstore/fulcio/pkg/generated/protobuf"
	fulcio "github.com/sigstore/fulcio/pkg/server"
	v1 "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	tsa "github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
	"google.golang.org/grpc/metadata"
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 7 && args[0] == "fulcio":
		err = serveFulcio(args[1], args[2], args[3], args[4], args[5], args[6])
	case len(args) == 4 && args[0] == "tsa":
		err = serveTSA(args[1], args[2], args[3])
	default:
		log.Fatal("usage: see the head of services.go")
	}
	log.Fatal(err)
}

func serveFulcio(port, configPath, chain, key, ctURL, ctKeyPath string) error {
	cfg, err := config.Load(configPath)
	if err != nil {
		return err
	}
	ca, err := fileca.NewFileCA(chain, key, "", false)
	if err != nil {
		return err
	}
	ctKey, err := os.ReadFile(ctKeyPath)
	if err != nil {
		return err
	}
	ct, err := ctclient.New(ctURL, http.DefaultClient, jsonclient.Options{PublicKey: string(ctKey)})
	if err != nil {
		return err
	}
	// Fulcio's defaults.
	algorithms, err := signature.NewAlgorithmRegistryConfig([]v1.PublicKeyDetails{
		v1.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		v1.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
		v1.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512,
		v1.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256,
		v1.PublicKeyDetails_PKIX_RSA_PKCS1V15_3072_SHA256,
		v1.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256,
		v1.PublicKeyDetails_PKIX_ED25519,
	})
	if err != nil {
		return err
	}

	gateway := runtime.NewServeMux(runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		return metadata.Pairs(fulcio.MetadataOIDCTokenKey, token)
	}))
	service := fulcio.NewGRPCCAServer(ct, ca, algorithms, fulcio.NewIssuerPool(cfg))
	if err := protobuf.RegisterCAHandlerServer(context.Background(), gateway, service); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		gateway.ServeHTTP(w, r.WithContext(config.With(r.Context(), cfg)))
	})
	return http.ListenAndServe("127.0.0.1:"+port, mux)
}

func serveTSA(port, chain, key string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	const policy = "1.3.6.1.4.1.57264.2"
	for name, value := range map[string]any{
		"timestamp-signer":         "file",
		"timestamp-signer-hash":    "sha256",
		"file-signer-key-path":     key,
		"certificate-chain-path":   chain,
		"enforce-intermediate-eku": false,
		"default-policy-oid":       policy,
		"accepted-policy-oids":     []string{policy},
		"max-request-body-size":    1 << 20,
	} {
		viper.Set(name, value)
	}
	const timeout = 30 * time.Second
	return tsa.NewRestAPIServer("127.0.0.1", number, []string{"http"}, false, timeout, timeout).Serve()
}
