// application/x-www-form-urlencoded, as Twilio speaks it both ways.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::twilio {

class Form {
 public:
  Form() = default;
  static Form parse(std::string_view text);  // what cannot be decoded stays as it is

  Form& add(std::string_view name, std::string_view value);
  std::string_view operator[](std::string_view name) const;  // the first of this name; empty if there is none
  std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

std::string url_encode(std::string_view text);

}  // namespace sluice::twilio
