// A participant of DDS with the keys of one enclave, or with none: what can it see and say?
//
//   dds_probe DOMAIN ENCLAVE_FOLDER|- pub|sub TOPIC SECONDS
//
// Prints "refused" where it may not take part or use the topic, else how many endpoints of others
// it met on the topic and how many samples came: "met 1 got 20". Publishes 10 samples a second.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::types::ReturnCode_t;

struct NumberType : TopicDataType {
  NumberType() { setName("number"); m_typeSize = 8; m_isGetKeyDefined = false; }
  bool serialize(void* data, eprosima::fastrtps::rtps::SerializedPayload_t* payload) override {
    const unsigned char header[4] = {0, 1, 0, 0};  // CDR, little endian
    std::memcpy(payload->data, header, 4);
    std::memcpy(payload->data + 4, data, 4);
    payload->length = 8;
    return true;
  }
  bool deserialize(eprosima::fastrtps::rtps::SerializedPayload_t* payload, void* data) override {
    std::memcpy(data, payload->data + 4, 4);
    return payload->length == 8;
  }
  std::function<uint32_t()> getSerializedSizeProvider(void*) override {
    return [] { return 8u; };
  }
  void* createData() override { return new int32_t(0); }
  void deleteData(void* data) override { delete static_cast<int32_t*>(data); }
  bool getKey(void*, eprosima::fastrtps::rtps::InstanceHandle_t*, bool) override { return false; }
};

// The properties that rmw_fastrtps sets for an enclave.
void add_keys(DomainParticipantQos& qos, const std::string& folder) {
  auto& properties = qos.properties().properties();
  const std::string file = "file://" + folder + "/";
  const std::string auth = "dds.sec.auth.builtin.PKI-DH.";
  const std::string access = "dds.sec.access.builtin.Access-Permissions.";
  properties.emplace_back("dds.sec.auth.plugin", "builtin.PKI-DH");
  properties.emplace_back(auth + "identity_ca", file + "identity_ca.cert.pem");
  properties.emplace_back(auth + "identity_certificate", file + "cert.pem");
  properties.emplace_back(auth + "private_key", file + "key.pem");
  properties.emplace_back("dds.sec.crypto.plugin", "builtin.AES-GCM-GMAC");
  properties.emplace_back("dds.sec.access.plugin", "builtin.Access-Permissions");
  properties.emplace_back(access + "permissions_ca", file + "permissions_ca.cert.pem");
  properties.emplace_back(access + "governance", file + "governance.p7s");
  properties.emplace_back(access + "permissions", file + "permissions.p7s");
}

int main(int, char** argument) {
  const std::string folder = argument[2], name = argument[4];
  const bool publishes = argument[3] == std::string("pub");
  const int ticks = 10 * std::atoi(argument[5]);
  DomainParticipantQos qos;
  if (folder != "-") add_keys(qos, folder);
  auto* factory = DomainParticipantFactory::get_instance();
  auto* participant = factory->create_participant(std::atoi(argument[1]), qos);
  if (participant == nullptr) {
    std::cout << "refused" << std::endl;
    return 0;
  }
  TypeSupport type(new NumberType);
  type.register_type(participant);
  auto* topic = participant->create_topic(name, "number", TOPIC_QOS_DEFAULT);
  DataWriter* writer = nullptr;
  DataReader* reader = nullptr;
  if (publishes) {
    writer = participant->create_publisher(PUBLISHER_QOS_DEFAULT)->create_datawriter(topic,
      DATAWRITER_QOS_DEFAULT);
  } else {
    DataReaderQos reader_qos;
    reader_qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    reader = participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT)->create_datareader(topic,
      reader_qos);
  }
  if (writer == nullptr && reader == nullptr) {
    std::cout << "refused" << std::endl;
    return 0;
  }
  int met = 0, got = 0;
  for (int32_t tick = 0; tick < ticks; ++tick) {
    int32_t number = tick;
    if (publishes) {
      writer->write(&number);
      PublicationMatchedStatus status;
      writer->get_publication_matched_status(status);
      met = status.total_count;
    } else {
      SampleInfo info;
      while (reader->take_next_sample(&number, &info) == ReturnCode_t::RETCODE_OK) ++got;
      SubscriptionMatchedStatus status;
      reader->get_subscription_matched_status(status);
      met = status.total_count;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  std::cout << "met " << met << " got " << got << std::endl;
}
