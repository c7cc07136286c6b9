// Saturated stations of 802.11a in ns-3, as bench mac's peer: ad-hoc mode, 6 Mb/s, 1000 octets in an MPDU of 1036, all hear all
// at one level, propagation 0, each sends to the next one. Packets enter at the device, so that no other layer costs anything.
// Usage: mac_ns3 STATIONS SECONDS SEED. Prints attempts, CPU seconds of the run, throughput, collision probability.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "ns3/core-module.h"
#include "ns3/mobility-module.h"
#include "ns3/network-module.h"
#include "ns3/wifi-module.h"

using namespace ns3;

static uint64_t acked, failed;

static void SendOne(Ptr<WifiNetDevice> from, Address to)
{
    from->Send(Create<Packet>(1000), to, 0x88b5);
}

static void OnAcked(Ptr<WifiNetDevice> from, Address to, Ptr<const WifiMpdu>)
{
    acked++;
    SendOne(from, to);
}

static void OnDropped(Ptr<WifiNetDevice> from, Address to, WifiMacDropReason, Ptr<const WifiMpdu>)
{
    SendOne(from, to);
}

static void OnFailed(Mac48Address)
{
    failed++;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, "usage: mac_ns3 STATIONS SECONDS SEED\n");
        return 2;
    }
    uint32_t n = std::strtoul(argv[1], nullptr, 10);
    double seconds = std::atof(argv[2]);
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(std::strtoul(argv[3], nullptr, 10));
    Config::SetDefault("ns3::WifiMacQueue::MaxDelay", TimeValue(Seconds(100000)));

    NodeContainer nodes;
    nodes.Create(n);
    MobilityHelper mobility;
    mobility.SetMobilityModel("ns3::ConstantPositionMobilityModel");
    mobility.Install(nodes);
    YansWifiChannelHelper channel;
    channel.AddPropagationLoss("ns3::FixedRssLossModel", "Rss", DoubleValue(-50));
    channel.SetPropagationDelay("ns3::ConstantSpeedPropagationDelayModel");
    YansWifiPhyHelper phy;
    phy.SetChannel(channel.Create());
    WifiHelper wifi;
    wifi.SetStandard(WIFI_STANDARD_80211a);
    wifi.SetRemoteStationManager("ns3::ConstantRateWifiManager", "DataMode", StringValue("OfdmRate6Mbps"), "ControlMode",
                                 StringValue("OfdmRate6Mbps"));
    WifiMacHelper mac;
    mac.SetType("ns3::AdhocWifiMac");
    NetDeviceContainer devices = wifi.Install(phy, mac, nodes);
    for (uint32_t i = 0; i < n; i++) {
        Ptr<WifiNetDevice> from = DynamicCast<WifiNetDevice>(devices.Get(i));
        Address to = devices.Get((i + 1) % n)->GetAddress();
        from->GetMac()->TraceConnectWithoutContext("AckedMpdu", MakeBoundCallback(&OnAcked, from, to));
        from->GetMac()->TraceConnectWithoutContext("DroppedMpdu", MakeBoundCallback(&OnDropped, from, to));
        from->GetRemoteStationManager()->TraceConnectWithoutContext("MacTxDataFailed", MakeCallback(&OnFailed));
        for (int k = 0; k < 2; k++)
            Simulator::Schedule(MicroSeconds(10 * i), &SendOne, from, to);
    }
    Simulator::Stop(Seconds(seconds));
    std::clock_t from = std::clock();
    Simulator::Run();
    double cpu = double(std::clock() - from) / CLOCKS_PER_SEC;
    std::printf("%llu %.6f %.6f %.6f\n", (unsigned long long)(acked + failed), cpu, acked * 8e-3 / seconds,
                double(failed) / double(acked + failed));
    Simulator::Destroy();
    return 0;
}
