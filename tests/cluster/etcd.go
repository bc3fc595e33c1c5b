package main

import (
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcd keeps what the API server is told, on one machine and for as long as a test lasts.
func etcd() *cobra.Command {
	var folder, clients, peers string
	command := &cobra.Command{
		Use:           "etcd",
		Short:         "The store of a cluster of one machine",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(*cobra.Command, []string) error { return serve(folder, clients, peers) },
	}
	flags := command.Flags()
	flags.StringVar(&folder, "data-dir", "", "where it keeps its data")
	flags.StringVar(&clients, "listen-client-url", "", "where clients find it")
	flags.StringVar(&peers, "listen-peer-url", "", "where its peers would")
	return command
}

func serve(folder, clients, peers string) error {
	config := embed.NewConfig()
	config.Dir = folder
	// A test that is cut off has nothing to recover.
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	client, err := url.Parse(clients)
	if err != nil {
		return err
	}
	peer, err := url.Parse(peers)
	if err != nil {
		return err
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}
