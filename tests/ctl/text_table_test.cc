#include "ctl/text_table.h"

#include <gtest/gtest.h>

namespace escan::ctl {
namespace {

TEST(TextTable, AlignsItsColumnsAndLeavesNoTrailingSpaces) {
  TextTable table({{"NAME", TextTable::Align::kLeft},
                   {"COUNT", TextTable::Align::kRight},
                   {"WHY", TextTable::Align::kLeft}});
  table.AddRow({"a", "1000000", "because"});
  table.AddRow({"longer", "2", ""});
  EXPECT_EQ(table.ToString("> "),
            "> NAME      COUNT  WHY\n"
            "> a       1000000  because\n"
            "> longer        2\n");
}

}  // namespace
}  // namespace escan::ctl
