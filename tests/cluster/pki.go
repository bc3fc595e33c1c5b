package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki is the certificates of one cluster, in a folder of their own.
type pki struct {
	folder      string
	certificate *x509.Certificate
	key         crypto.Signer
}

// newPKI makes an authority, and the key that signs the tokens of service accounts.
func newPKI(folder string) (*pki, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate("weft-test-cluster", nil)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	made := &pki{folder: folder, key: key}
	if made.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	if err := made.write("ca", der, key); err != nil {
		return nil, err
	}
	return made, made.accounts()
}

// accounts makes the pair of keys for the tokens of service accounts. Others read them, and know RSA best.
func (p *pki) accounts() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(p.path("sa.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.path("sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600)
}

// client makes a certificate for somebody the API server knows by name and group.
func (p *pki) client(file, name string, groups ...string) error {
	template := certificate(name, groups)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return p.issue(file, template)
}

// server makes a certificate for somebody who is called by these names and addresses.
func (p *pki) server(file, name string, names []string, addresses ...string) error {
	template := certificate(name, nil)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = names
	for _, address := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	return p.issue(file, template)
}

func (p *pki) issue(file string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, p.certificate, key.Public(), p.key)
	if err != nil {
		return err
	}
	return p.write(file, der, key)
}

func (p *pki) write(file string, der []byte, key *ecdsa.PrivateKey) error {
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
	if err := os.WriteFile(p.path(file+".key"), encoded, 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.path(file+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

func (p *pki) path(file string) string {
	return filepath.Join(p.folder, file)
}

// kubeconfig says how to reach the API server at url with the certificate of a client.
func (p *pki) kubeconfig(path, client, url string) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: weft, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: weft, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: weft, context: {cluster: weft, user: weft}}]
current-context: weft
`, url, p.path("ca.crt"), p.path(client+".crt"), p.path(client+".key"))
	return os.WriteFile(path, []byte(text), 0o600)
}

func certificate(name string, groups []string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(30 * 24 * time.Hour),
	}
}
