package main

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	nodeName     = "weft-node"
	services     = "10.31.0.0/16"
	// Of the second family. A node here has one alone: only what no node stands behind has both.
	services6    = "fd31::/112"
	serviceOfAPI = "10.31.0.1"
)

// place is where the API server listens, and what address it tells others.
type place struct {
	listen    string
	advertise string
	port      string
	// Whether a node will speak for its pods.
	hasNode bool
}

// services are the ranges of their addresses, by family.
func (p place) services() string {
	if p.hasNode {
		return services
	}
	return services + "," + services6
}

// alone is a control plane on loopback, without a node.
func (c *cluster) alone() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := c.certificates("127.0.0.1", "https://127.0.0.1:"+port); err != nil {
		return err
	}
	return c.controlPlane(place{listen: "127.0.0.1", advertise: "127.0.0.1", port: port})
}

// controlPlane starts etcd, the API server and the controllers, and waits for them.
func (c *cluster) controlPlane(at place) error {
	var ports [3]string
	for index := range ports {
		port, err := freePort()
		if err != nil {
			return err
		}
		ports[index] = port
	}
	clients, peers, controllers := ports[0], ports[1], ports[2]
	store := "http://127.0.0.1:" + clients
	if err := c.start("etcd", "--data-dir="+c.path("etcd"), "--listen-client-url="+store,
		"--listen-peer-url=http://127.0.0.1:"+peers); err != nil {
		return err
	}
	if err := c.start("kube-apiserver", c.apiServer(at, store)...); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	ready := func() error { return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(c.ctx).Error() }
	if err := c.wait("the API server", 2*time.Minute, ready); err != nil {
		return err
	}
	if err := c.start("kube-controller-manager", c.controllers(at, controllers)...); err != nil {
		return err
	}
	account := func() error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(c.ctx, "default", metav1.GetOptions{})
		return err
	}
	return c.wait("the controllers", time.Minute, account)
}

// certificates makes them all, and who holds which says so in a kubeconfig.
func (c *cluster) certificates(address, url string) error {
	made, err := newPKI(c.path("pki"))
	if err != nil {
		return err
	}
	c.pki = made
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	if err := made.server("apiserver", "kube-apiserver", names, "127.0.0.1", address, serviceOfAPI); err != nil {
		return err
	}
	if err := made.server("kubelet-serving", nodeName, []string{nodeName}, "127.0.0.1", address); err != nil {
		return err
	}
	if err := made.client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"); err != nil {
		return err
	}
	if err := made.client("front-proxy-client", "front-proxy-client"); err != nil {
		return err
	}
	for _, holder := range []struct {
		file, name string
		groups     []string
	}{
		{"admin", "admin", []string{"system:masters"}},
		{"controllers", "system:kube-controller-manager", nil},
		{"scheduler", "system:kube-scheduler", nil},
		{"proxy", "system:kube-proxy", nil},
		{"kubelet", "system:node:" + nodeName, []string{"system:nodes"}},
	} {
		if err := made.client(holder.file, holder.name, holder.groups...); err != nil {
			return err
		}
		if err := made.kubeconfig(c.path(holder.file+".kubeconfig"), holder.file, url); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) apiServer(at place, store string) []string {
	file := c.pki.path
	// Without a node the kubernetes Service would lead to an address that slices refuse.
	reconciler := "none"
	if at.hasNode {
		reconciler = "lease"
	}
	return []string{
		"--etcd-servers=" + store,
		"--bind-address=" + at.listen,
		"--advertise-address=" + at.advertise,
		"--secure-port=" + at.port,
		"--service-cluster-ip-range=" + at.services(),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--anonymous-auth=false",
		"--allow-privileged=true",
		"--profiling=false",
		"--client-ca-file=" + file("ca.crt"),
		"--tls-cert-file=" + file("apiserver.crt"),
		"--tls-private-key-file=" + file("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + file("sa.pub"),
		"--service-account-signing-key-file=" + file("sa.key"),
		"--kubelet-client-certificate=" + file("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + file("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + file("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + file("ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + file("front-proxy-client.crt"),
		"--proxy-client-key-file=" + file("front-proxy-client.key"),
		"--endpoint-reconciler-type=" + reconciler,
	}
}

func (c *cluster) controllers(at place, port string) []string {
	file, config := c.pki.path, c.path("controllers.kubeconfig")
	all := "*"
	if !at.hasNode {
		// Nodes and pods that a test makes up have no kubelet to speak for them: they are left alone.
		all = "*,-node-lifecycle-controller,-pod-garbage-collector-controller"
	}
	return []string{
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config,
		"--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		"--secure-port=" + port,
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		// With the defaults it takes 6 s longer to begin.
		"--kube-api-qps=400",
		"--kube-api-burst=800",
		"--flex-volume-plugin-dir=" + c.path("volume-plugins"),
		"--service-account-private-key-file=" + file("sa.key"),
		"--root-ca-file=" + file("ca.crt"),
		"--cluster-signing-cert-file=" + file("ca.crt"),
		"--cluster-signing-key-file=" + file("ca.key"),
		"--service-cluster-ip-range=" + at.services(),
		"--controllers=" + all,
		// A test stops the API server for a minute. The controllers could take its node for gone then, because they did not hear of it, and
		// all endpoints on it for unready: their verdict, which is not what is tested.
		"--node-monitor-grace-period=5m",
	}
}

func (c *cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.path("admin.kubeconfig"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
