package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	nodeAddress = "10.29.0.1"
	podNetwork  = "10.30.0.0/16"
	pauseImage  = "weft.test/pause:1"
	pluginsOf   = "/usr/lib/cni"
)

// withNode starts a node in namespaces of its own, whose first process we are again, and forwards to its API server. Whatever
// it makes ends with that process.
func (c *cluster) withNode(images []string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("a node takes root")
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := c.certificates(nodeAddress, "https://127.0.0.1:6443"); err != nil {
		return err
	}
	if err := c.pki.kubeconfig(c.path("outside.kubeconfig"), "admin", "https://127.0.0.1:"+port); err != nil {
		return err
	}
	if err := c.pauseImage(); err != nil {
		return err
	}
	arguments := append([]string{"--folder", c.folder}, images...)
	flags := syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC
	if err := c.startIn(uintptr(flags), "node", arguments...); err != nil {
		return err
	}
	if err := forward("tcp", "127.0.0.1:"+port, "unix", c.path("api.sock")); err != nil {
		return err
	}
	ready := func() error {
		_, err := os.Stat(c.path("ready"))
		return err
	}
	return c.wait("the node", 3*time.Minute, ready)
}

func (c *cluster) pauseImage() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	pause := &imageOf{name: pauseImage, entrypoint: []string{"/pause"}, files: map[string]file{}}
	if err := pause.copy(filepath.Join(filepath.Dir(self), "pause"), "/pause"); err != nil {
		return err
	}
	return pause.write(c.path("pause.tar"))
}

// node is the first process of the node's namespaces.
func node() *cobra.Command {
	var folder string
	command := &cobra.Command{
		Use:           "node",
		Short:         "Be a node, in namespaces of its own (started by up)",
		Hidden:        true,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(_ *cobra.Command, images []string) error { return beNode(folder, images) },
	}
	command.Flags().StringVar(&folder, "folder", "", "where the cluster's state is")
	return command
}

func beNode(folder string, images []string) error {
	// Children end with the thread that made them.
	runtime.LockOSThread()
	c, stop := newCluster(folder)
	defer stop()
	c.pki = &pki{folder: c.path("pki")}
	if err := c.furnish(); err != nil {
		return fmt.Errorf("the node's namespaces: %w", err)
	}
	if err := c.controlPlane(place{listen: "0.0.0.0", advertise: nodeAddress, port: "6443", hasNode: true}); err != nil {
		return err
	}
	if err := forward("unix", c.path("api.sock"), "tcp", "127.0.0.1:6443"); err != nil {
		return err
	}
	scheduler := c.path("scheduler.kubeconfig")
	if err := c.start("kube-scheduler", "--kubeconfig="+scheduler, "--authentication-kubeconfig="+scheduler,
		"--authorization-kubeconfig="+scheduler, "--bind-address=127.0.0.1", "--leader-elect=false"); err != nil {
		return err
	}
	if err := c.containers(append([]string{c.path("pause.tar")}, images...)); err != nil {
		return err
	}
	if err := c.kubelet(); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := serveNames(c.ctx, client, nodeAddress+":53"); err != nil {
		return err
	}
	ready := func() error {
		node, err := client.CoreV1().Nodes().Get(c.ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("it is not ready")
	}
	if err := c.wait("the kubelet", time.Minute, ready); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("ready"), nil, 0o600); err != nil {
		return err
	}
	<-c.ctx.Done()
	return nil
}

// furnish makes the mounts, the links and the settings of the kernel that a node has to itself.
func (c *cluster) furnish() error {
	if err := syscall.Sethostname([]byte(nodeName)); err != nil {
		return err
	}
	mounts := []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		// Among ourselves: containers see what is mounted for them later.
		{"", "/", "", syscall.MS_REC | syscall.MS_SHARED},
		{"proc", "/proc", "proc", 0},
	}
	for _, mount := range mounts {
		if err := syscall.Mount(mount.source, mount.target, mount.kind, mount.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", mount.target, err)
		}
	}
	// What would be written on the machine outside goes to the cluster's own folder.
	for _, folder := range []string{"/run/netns", "/var/log/pods", "/var/log/containers", "/var/lib/cni", "/var/lib/kubelet", "/run/containerd"} {
		if err := c.shadow(c.path("root"+folder), folder, true); err != nil {
			return err
		}
	}
	// A kubelet wants these set for the whole machine; it is shown what it wants.
	for _, setting := range []string{"vm/overcommit_memory=1", "vm/panic_on_oom=0", "kernel/panic=10", "kernel/panic_on_oops=1",
		"kernel/keys/root_maxkeys=1000000", "kernel/keys/root_maxbytes=25000000"} {
		name, value, _ := strings.Cut(setting, "=")
		shown := c.path("sysctl/" + name)
		if err := os.MkdirAll(filepath.Dir(shown), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(shown, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := c.shadow(shown, "/proc/sys/"+name, false); err != nil {
			return err
		}
	}
	if err := links(); err != nil {
		return err
	}
	for _, setting := range []string{"net/ipv4/ip_forward=1", "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0",
		// Otherwise answers between pods of the one bridge miss the way back through address translation.
		"net/bridge/bridge-nf-call-iptables=1"} {
		name, value, _ := strings.Cut(setting, "=")
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) shadow(source, target string, folder bool) error {
	if folder {
		for _, needed := range []string{source, target} {
			if err := os.MkdirAll(needed, 0o755); err != nil {
				return err
			}
		}
	}
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// links gives the node its address, on a link that leads nowhere.
func links() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return err
	}
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "node0"}, PeerName: "node1"}
	if err := netlink.LinkAdd(pair); err != nil {
		return err
	}
	for _, name := range []string{"node1", "node0"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
	}
	link, err := netlink.LinkByName("node0")
	if err != nil {
		return err
	}
	address, err := netlink.ParseAddr(nodeAddress + "/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Src: net.ParseIP(nodeAddress)})
}

// containers starts what runs them, and gives it the images.
func (c *cluster) containers(images []string) error {
	network := fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "weft", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`, c.path("addresses"), podNetwork)
	if err := os.MkdirAll(c.path("cni"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("cni/10-weft.conflist"), []byte(network), 0o644); err != nil {
		return err
	}
	socket := c.path("containerd.sock")
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  disable_apparmor = true
  # Nobody here may lower it.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`, c.path("containerd/root"), c.path("containerd/state"), socket, pauseImage, pluginsOf, c.path("cni"))
	if err := os.WriteFile(c.path("containerd.toml"), []byte(config), 0o644); err != nil {
		return err
	}
	if err := c.start("containerd", "--config", c.path("containerd.toml")); err != nil {
		return err
	}
	answers := func() error { return exec.Command("ctr", "-a", socket, "version").Run() }
	if err := c.wait("containerd", 30*time.Second, answers); err != nil {
		return err
	}
	for _, image := range images {
		if told, err := exec.Command("ctr", "-a", socket, "-n", "k8s.io", "images", "import", image).CombinedOutput(); err != nil {
			return fmt.Errorf("%s cannot be imported: %s", image, told)
		}
	}
	return nil
}

func (c *cluster) kubelet() error {
	if err := os.WriteFile(c.path("resolv.conf"), []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		return err
	}
	file := c.pki.path
	config := fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %q}}
authorization: {mode: Webhook}
tlsCertFile: %q
tlsPrivateKeyFile: %q
containerRuntimeEndpoint: %q
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDNS: [%q]
clusterDomain: cluster.local
resolvConf: %q
evictionHard: {memory.available: "50Mi", nodefs.available: "0%%", nodefs.inodesFree: "0%%", imagefs.available: "0%%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
volumePluginDir: %q
shutdownGracePeriod: 0s
protectKernelDefaults: true
enableControllerAttachDetach: false
`, file("ca.crt"), file("kubelet-serving.crt"), file("kubelet-serving.key"), "unix://"+c.path("containerd.sock"), nodeAddress,
		c.path("resolv.conf"), c.path("volume-plugins"))
	if err := os.WriteFile(c.path("kubelet.yaml"), []byte(config), 0o644); err != nil {
		return err
	}
	if err := c.start("kubelet", "--config="+c.path("kubelet.yaml"), "--kubeconfig="+c.path("kubelet.kubeconfig"),
		"--root-dir="+c.path("kubelet"), "--hostname-override="+nodeName, "--node-ip="+nodeAddress); err != nil {
		return err
	}
	proxy := fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: %s
clusterCIDR: %s
clientConnection: {kubeconfig: %q}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
# These settings of the kernel are the machine's.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`, nodeName, podNetwork, c.path("proxy.kubeconfig"))
	if err := os.WriteFile(c.path("proxy.yaml"), []byte(proxy), 0o644); err != nil {
		return err
	}
	return c.start("kube-proxy", "--config="+c.path("proxy.yaml"))
}

// sweep removes the control groups of pods that have ended: they alone are not in the node's namespaces.
func sweep() {
	for range 50 {
		left, _ := filepath.Glob("/sys/fs/cgroup/*/kubepods")
		if len(left) == 0 {
			return
		}
		for _, root := range left {
			var folders []string
			_ = filepath.WalkDir(root, func(found string, entry os.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					folders = append(folders, found)
				}
				return nil
			})
			// The deepest first.
			for index := len(folders) - 1; index >= 0; index-- {
				_ = syscall.Rmdir(folders[index])
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// forward takes connections at one place and carries them to another.
func forward(network, address, toNetwork, toAddress string) error {
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := net.Dial(toNetwork, toAddress)
				if err != nil {
					return
				}
				defer far.Close()
				go func() {
					_, _ = io.Copy(far, near)
					far.(interface{ CloseWrite() error }).CloseWrite()
				}()
				_, _ = io.Copy(near, far)
			}()
		}
	}()
	return nil
}
