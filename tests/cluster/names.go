package main

import (
	"context"
	"net"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

const domain = ".svc.cluster.local."

// names answers what pods ask of DNS: addresses of Services, and of the pods behind headless ones. Nothing else exists.
type names struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// serveNames answers at address, over UDP, until ctx ends.
func serveNames(ctx context.Context, client kubernetes.Interface, address string) error {
	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	known := &names{
		services: factory.Core().V1().Services().Lister(),
		slices:   factory.Discovery().V1().EndpointSlices().Lister(),
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		socket.Close()
	}()
	go func() {
		buffer := make([]byte, 512)
		for {
			length, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := known.answer(buffer[:length]); answer != nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
	return nil
}

// answer is nil for what is no question.
func (n *names) answer(asked []byte) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(asked)
	if err != nil || header.Response {
		return nil
	}
	question, err := parser.Question()
	if err != nil {
		return nil
	}
	addresses, exists := n.lookup(strings.ToLower(question.Name.String()))
	reply := dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired}
	if !exists {
		reply.RCode = dnsmessage.RCodeNameError
	}
	builder := dnsmessage.NewBuilder(nil, reply)
	if builder.StartQuestions() != nil || builder.Question(question) != nil || builder.StartAnswers() != nil {
		return nil
	}
	for _, address := range addresses {
		four := net.ParseIP(address).To4()
		if question.Type != dnsmessage.TypeA || four == nil {
			continue
		}
		resource := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 2}
		if builder.AResource(resource, dnsmessage.AResource{A: [4]byte(four)}) != nil {
			return nil
		}
	}
	answer, err := builder.Finish()
	if err != nil {
		return nil
	}
	return answer
}

// lookup finds the addresses behind a name, and whether there is such a name.
func (n *names) lookup(name string) ([]string, bool) {
	labels := strings.Split(strings.TrimSuffix(name, domain), ".")
	if !strings.HasSuffix(name, domain) || len(labels) < 2 || len(labels) > 3 {
		return nil, false
	}
	namespace, service := labels[len(labels)-1], labels[len(labels)-2]
	found, err := n.services.Services(namespace).Get(service)
	if err != nil {
		return nil, false
	}
	host := ""
	if len(labels) == 3 {
		host = labels[0]
	}
	if found.Spec.ClusterIP != corev1.ClusterIPNone {
		return found.Spec.ClusterIPs, host == ""
	}
	addresses := n.behind(namespace, service, host)
	return addresses, host == "" || len(addresses) > 0
}

// behind is the ready pods of a headless Service: all, or the one called host.
func (n *names) behind(namespace, service, host string) []string {
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service})
	slices, err := n.slices.EndpointSlices(namespace).List(selector)
	if err != nil {
		return nil
	}
	var addresses []string
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			named := endpoint.Hostname != nil && *endpoint.Hostname == host
			if ready && (host == "" || named) {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
	}
	return addresses
}
