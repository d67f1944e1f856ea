#pragma once

#include <string>
#include <vector>

namespace escan::ctl {

// Rows of cells under a heading, shown with the columns aligned.
class TextTable {
 public:
  enum class Align { kLeft, kRight };

  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit TextTable(std::vector<Column> columns);

  // `cells` has one element a column.
  void AddRow(std::vector<std::string> cells);

  // One line for the headings and one for each row, each after `indent`, without trailing spaces.
  std::string ToString(const std::string& indent) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace escan::ctl
